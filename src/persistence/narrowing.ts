import type { NamedDemarche, Narrowing } from '../mandates/narrowing.ts';

/** The columns in which a mandate, or a draft, says how narrow it is. */
export interface NarrowingColumns {
  readonly demarches: NamedDemarche[] | null;
  readonly read_only: boolean;
  readonly single_use: boolean;
}

export const readNarrowing = ({ demarches, read_only, single_use }: NarrowingColumns): Narrowing => ({
  demarches: demarches ?? undefined,
  readOnly: read_only,
  singleUse: single_use,
});
