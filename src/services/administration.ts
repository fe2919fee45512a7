import type { AdministrationId } from '../kernel/ids.ts';

/** A public body that owns services; its agents read the journal of those services only. */
export interface Administration {
  readonly id: AdministrationId;
  readonly name: string;
  readonly createdAt: Date;
}
