import { administration } from './fr/administration.ts';
import { aidant } from './fr/aidant.ts';
import { aloud } from './fr/aloud.ts';
import { attestation } from './fr/attestation.ts';
import { contests } from './fr/contests.ts';
import { delegation } from './fr/delegation.ts';
import { ending } from './fr/ending.ts';
import { evidence } from './fr/evidence.ts';
import { integration } from './fr/integration.ts';
import { journal } from './fr/journal.ts';
import { lost } from './fr/lost.ts';
import { mandate } from './fr/mandate.ts';
import { mandates } from './fr/mandates.ts';
import { paper } from './fr/paper.ts';
import { phone } from './fr/phone.ts';
import { refusals } from './fr/refusals.ts';
import { remote } from './fr/remote.ts';
import { security } from './fr/security.ts';
import { shared } from './fr/shared.ts';
import { signIn } from './fr/sign-in.ts';
import { statement } from './fr/statement.ts';
import { structure } from './fr/structure.ts';
import { themes } from './fr/themes.ts';
import { usager } from './fr/usager.ts';
import { typesetAll, typesetFrench } from './typeset.ts';

const source = {
  shared,
  themes,
  signIn,
  security,
  lost,
  aidant,
  mandate,
  mandates,
  ending,
  aloud,
  attestation,
  remote,
  paper,
  phone,
  contests,
  delegation,
  usager,
  journal,
  evidence,
  statement,
  structure,
  administration,
  integration,
  refusals,
};

/** The French catalogue: the source; the English one has the same keys, checked by the compiler and by a test. */
export type Catalogue = typeof source;

export const fr: Catalogue = typesetAll(source, typesetFrench);
