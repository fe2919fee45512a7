import { EXIT, type Io } from './command.ts';

/** What each refusal means, and what to do: one sentence a code. A code without a sentence is shown as it is. */
const SENTENCES: Readonly<Record<string, string>> = {
  registration_invalid: 'the registration breaks these rules (docs/command-line.md)',
  name_malformed: 'a name is empty, too long, or holds characters other than Latin letters, digits and ordinary punctuation',
  siret_malformed: 'the SIRET is not 14 digits with a right check sum',
  siret_known: 'an organisation has this SIRET already: see `relais organisation list`',
  themes_malformed: 'give one or more of the ten themes, each with --theme',
  theme_outside_organisation: 'the organisation is not habilitated for one of these themes',
  unknown_organisation: 'no organisation has this id or SIRET: see `relais organisation list`',
  phone_invalid: 'this is not a phone number',
  phone_premium: 'this is a premium or special number',
  phone_foreign: 'this is not a French number',
  phone_not_mobile: 'this is not a mobile number',
  organisation_suspended: 'the organisation is suspended',
  unknown_mandate: 'no mandate has this id',
  unknown_usager: 'nobody has this id',
  protection_malformed: 'say --because death or --because guardianship',
  reason_malformed: 'give a reason of one line, at most 200 characters, with --reason',
  not_active: 'it is not active: nothing changed',
  email_malformed: 'this is not an e-mail address',
  email_known:
    'somebody of this kind was invited at this address: `relais aidant add --id` adds a membership, `relais staff invite` makes a new link',
  unknown_aidant: 'no aidant has this id: see `relais aidant list`',
  unknown_staff: 'nobody has this id',
  already_member: 'they are a member of this organisation already',
  not_member: 'they are not an active member of this organisation',
  not_suspended: 'they are not suspended: nothing changed',
  not_invited: 'they have enrolled already',
  unknown_administration: 'no administration has this id or name: see `relais administration list`',
  name_known: 'an administration has this name already',
  service_known: 'a service has this id already: see `relais service list`',
  sector_taken: 'this sector belongs to a service of another administration',
  unknown_service: 'no service has this id: see `relais service list`',
  fingerprint_needed: 'say which change you read with --fingerprint (relais service diff prints it), or leave --code out and read it first',
  not_what_was_read: 'what waits is not what was read: read it with relais service diff',
  not_pending: 'nothing of this service waits for approval',
  until_malformed: 'give --until a date to come, at most a year away: YYYY-MM-DD or an instant with its zone',
  keys_unused: 'this service has no keys: it authenticates with a secret',
  secret_unused: 'this service has no secret: it authenticates with its keys',
  no_former_secret: 'no former secret of this service is accepted',
  too_many_keys: 'more than ten keys would stand: let the former ones end first',
  unknown_revision: 'no revision of this service has this number',
  already_disabled: 'the service is disabled already',
  nothing_to_approve: 'nothing waits for approval here',
  change_waits: 'what an opérateur asked of this service waits: it is approved, or taken back, first',
  nothing_changed: 'this is what is registered, or asked, already',
  immutable: 'profile, sector, administration and least consent never change: register another service',
  unknown_signing_key: 'say which key signs tokens with --key: op-es256, op-rs256 or ssf-rs256',
  next_signing_key_missing:
    'there is no key to sign in its place: make one (relais keys next), bring it to every instance, and wait until `relais keys list` says that it is published',
  key_not_published: 'no instance has published this key yet: bring it to the keys folder of each, and wait ten seconds',
  key_too_new: 'it was published less than 24 hours ago: services may not know it yet; wait, or give --now if that is worth it',
  key_revoked: 'this key was declared stolen: it never comes back',
  key_still_needed: 'the key before it signed less than 24 hours ago: services may still check what it signed; wait',
  unknown_approval: 'no approval has this id: see `relais approvals list`',
  already_approved: 'it was approved already',
  same_person: 'whoever asked cannot approve: another opérateur must',
  hash_differs: 'what is stored is no longer what was asked: register the change and ask again',
  no_operateur: 'say who decides with --as and the id or e-mail address of an opérateur: see `relais operator list`',
  unknown_operateur: 'no active opérateur has this id or e-mail address: see `relais operator list`',
  no_code: 'give the one-time code with --code',
  no_factor: 'they have no confirmed second factor: they enrol first, by the link of their invitation',
  wrong_code: 'the one-time code is wrong',
  code_already_used: 'this one-time code was used: wait for the next one',
  too_many_codes: 'too many wrong codes: wait',
  approved_by_agent: 'another agent of the same administration approves it, in their space: /administration/exports',
  approved_with_file: 'give the same file: `relais mandates import FILE --organisation … --approve ID`',
  approved_once_read: 'read both identities first: `relais usager accept-identity --approve ID --as OPERATEUR`',
  nothing_to_review: 'no changed identity waits for this person: see `relais usager identities`. Nothing was changed',
  fingerprint_differs: 'this is not the change that is shown: read both identities again. Nothing was changed',
  lines_refused: 'nothing was imported: correct these lines, or leave them out with --keep-going',
  nothing_to_import: 'no line of this file makes a mandate',
  file_empty: 'the file has no line after its columns',
  file_too_long: 'the file has more than 2,000 lines: divide it',
  columns_missing: 'the first line must name the columns, each once: `relais mandates import --help` lists them',
  hold_malformed: 'give --usager, or --class (access, staff, mandate, actor) and --month (YYYY-MM)',
  unknown_hold: 'no hold has this id: see `relais journal holds`',
  already_lifted: 'it was lifted already: nothing changed',
  ground_malformed: 'give --ground a short word of small letters that names nobody, such as person-asked',
  fingerprint_malformed: 'give --next the fingerprint that `relais keys make --next` prints: 64 digits and letters a to f',
  already_erased: 'it is erased already: nothing changed',
  held: 'a legal hold stands: nothing was erased. See `relais journal holds`',
  live_mandates: 'a mandate of this person has not ended: stop it first (`relais mandate end`), then ask again',
  demonstration_only: 'this exists in the demonstration only',
  file_malformed: 'the file is not JSON',
  demarche_flag_malformed: 'a --demarche reads "code;effect;theme,theme;French label;English label"',
};

/** A refusal as use cases return it. */
interface Refused {
  readonly refused: string;
  readonly until?: Date;
  readonly faults?: readonly { readonly field: string; readonly code: string }[];
}

/** Prints a refusal, with its code, and gives the exit code. */
export const refuse = (io: Io, refusal: Refused, json = false): number => {
  if (json) io.out(JSON.stringify(refusal));
  const until = refusal.until ? ` (until ${refusal.until.toISOString()})` : '';
  io.err(`refused: ${refusal.refused}: ${SENTENCES[refusal.refused] ?? 'not accepted'}${until}`);
  for (const fault of refusal.faults ?? []) io.err(`  ${fault.field || 'input'}: ${fault.code}`);
  return EXIT.refused;
};
