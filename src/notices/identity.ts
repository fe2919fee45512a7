import type { ChannelStore, QueueSms } from '../usagers/channels.ts';
import type { TellIdentity } from '../usagers/reviews.ts';

export interface IdentityTexts {
  /** To the person: her civil identity was changed. */
  identityChanged(): string;
}

/** Tells a person that her civil identity has changed, on the telephone that she proved to be hers; without one, her own space alone says it. */
export const createIdentityTelling =
  (parts: { readonly queueSms: QueueSms; readonly channels: ChannelStore; readonly texts: IdentityTexts }): TellIdentity =>
  async (tx, usagerId) => {
    const phone = (await parts.channels.ofUsager(tx, usagerId)).find((each) => each.kind === 'phone' && each.addedBy === 'usager' && each.verifiedAt);
    if (!phone) return;
    await parts.queueSms(tx, { to: phone.address, text: parts.texts.identityChanged(), template: 'identity_changed' }, { usagerId });
  };
