import { administration } from './en/administration.ts';
import { aidant } from './en/aidant.ts';
import { aloud } from './en/aloud.ts';
import { attestation } from './en/attestation.ts';
import { contests } from './en/contests.ts';
import { delegation } from './en/delegation.ts';
import { ending } from './en/ending.ts';
import { evidence } from './en/evidence.ts';
import { integration } from './en/integration.ts';
import { journal } from './en/journal.ts';
import { lost } from './en/lost.ts';
import { mandate } from './en/mandate.ts';
import { mandates } from './en/mandates.ts';
import { paper } from './en/paper.ts';
import { phone } from './en/phone.ts';
import { refusals } from './en/refusals.ts';
import { remote } from './en/remote.ts';
import { security } from './en/security.ts';
import { shared } from './en/shared.ts';
import { signIn } from './en/sign-in.ts';
import { statement } from './en/statement.ts';
import { structure } from './en/structure.ts';
import { themes } from './en/themes.ts';
import { usager } from './en/usager.ts';
import type { Catalogue } from './fr.ts';

export const en: Catalogue = {
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
