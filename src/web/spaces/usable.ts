import type { Mandate } from '../../mandates/mandate.ts';
import type { Service } from '../../services/service.ts';

/** Lists the sites where a mandate can be used: those that cover one of its live themes, accept delegation, and say how to start. */
export const usableAt = (mandate: Mandate, services: readonly Service[]): { readonly name: string; readonly href: string }[] =>
  services.flatMap((service) => {
    const covered = mandate.themes.some((each) => each.endedAt === undefined && service.themes.includes(each.theme));
    return covered && service.status === 'approved' && service.delegationSupported && service.initiateLoginUri
      ? [{ name: service.name, href: `/aidant/agir/${mandate.id}/${service.id}` }]
      : [];
  });
