import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TestRecord } from './reporter.ts';

/**
 * Writes docs/claims.md from reports/tests.json (`npm run claims`, after a whole `npm test`): each claim, the tests that prove it, where they
 * ran and how many assertions. Fails, naming each claim that has no test, or one that failed, was skipped or is still to do. The text
 * depends on no time and no duration, so that CI can compare it with the committed one.
 */

const PROMISES = {
  P1: 'An authorization code is redeemed once, whatever the number of instances asked at once; a second try ends everything the first gave.',
  P2: 'A code is worth nothing after 60 seconds.',
  P3: 'Only the exact registered redirect URI is followed; anything else is a page of ours, without redirect.',
  P4: 'PKCE with S256 is mandatory, and its verifier is checked; FranceConnect alone, which sends none, does without.',
  P5: 'A service of profile fapi2 asks by a pushed request alone, which serves its owner once.',
  P6: 'State and nonce come back exactly as they were sent.',
  P7: 'Every authorization response names its issuer, and a client that finds another one stops.',
  P8: 'A signature counts only with an expected algorithm and a key we already know; nothing is fetched for it.',
  P9: 'A client assertion is for us, of now, with a key and algorithm we know, and used once.',
  P10: 'A token bound to a key is worth nothing without a fresh proof of that key, used once.',
  P11: 'Only the code flow exists.',
  P12: 'A code is worth nothing to another client.',
  P13: 'A token is worth nothing at another audience.',
  P14: 'The answer of one federation is worth nothing at the callback of the other.',
  P15: 'Nobody is sent to an address that is not registered.',
  P16: 'A form that carries credentials is never posted again by a redirect.',
  P17: 'No refresh token is ever given.',
  P18: 'A service receives no claim and no scope beyond its registration.',
  P19: 'Two services cannot recognise the same usager, aidant or mandate by comparing what they received.',
  P20: 'Introspection and userinfo answer only for the token of whoever asks.',
  P22: 'What the modules of the OpenID Foundation’s suite assert of a provider holds here, or differs by a design that is written down.',
  P21: 'No input crashes anything: what is malformed is refused in words, on every address.',
  P23: 'Nothing that the practice house gives counts in production, nor the reverse.',
  P24: 'A delegated ID token names both people, the mandate, the theme and both levels; the plain one names no second person.',
  S1: 'No page of another site changes anything here.',
  S2: 'No page can be framed.',
  S3: 'A session gets a new identifier at sign-in, at step-up and at a change of organisation; the old one is dead.',
  S4: 'Cookies have the strictest attributes and prefixes that each of them allows.',
  S5: 'An answer of a federation counts only in the browser that asked for it.',
  S6: 'After signing out, neither the cookie nor the Back button shows anything.',
  S8: 'A session ends after 15 minutes without a gesture and after 8 hours whatever happens; it says so before, and what was typed is kept.',
  S9: 'Whatever binds a person asks for a second factor of the last five minutes, bound to what is signed, and used once.',
  S10: 'After ten wrong codes nothing more is tried for a while; nobody else is affected, and the person is told.',
  S11: 'An address, a number or a code that is known and one that is not get the same answer, at the same cost.',
  S12: 'A link in a message does nothing by itself: one explicit gesture acts, once, until it expires.',
  S13: 'Two tabs for two people never exchange them.',
  S14: 'Whoever signs in next on the same computer finds nothing of who was there before.',
  S15: 'Text from outside is never executed, wherever it is shown.',
  S16: 'A lost device is reported without signing in, and nobody can suspend anybody else by it.',
  M1: 'The mandate of another organisation answers exactly as a mandate that does not exist.',
  M2: 'An aidant without the habilitation for a theme cannot use it.',
  M3: 'From the instant of its end, a mandate is refused at every step.',
  M4: 'A mandate that is not yet signed cannot be used.',
  M5: 'A mandate stopped between any two steps is refused at the next, and everyone is told.',
  M6: 'When a mandate is stopped every service is told until it acknowledges, and the state is right at once.',
  M7: 'What a session may do is never more than mandate ∩ service ∩ aidant, and nothing at all is a clear refusal.',
  M8: 'A changed form field changes nothing: the server’s value counts.',
  M9: 'A step in progress belongs to one browser and one aidant.',
  M10: 'A renewal needs both wills anew, widens nothing, and is refused once the person has stopped.',
  M11: 'An aidant can never consent in the person’s place, whatever the channel.',
  M12: 'No mandate names a minor, a protected person or somebody who has died; those that did have ended.',
  M13: 'A suspended organisation’s mandates are unusable, and their history stays.',
  M14: 'An aidant who leaves is out at once; the mandates stay with the organisation.',
  M15: 'After a change of organisation, no tab acts for the previous one.',
  M16: 'The same form sent twice makes one mandate.',
  M17: 'No act is accepted after the commit of the stop, whatever the interleaving and the instance.',
  M18: 'The person stops alone, by any channel, without a reason and without the aidant, with a receipt.',
  M19: 'One theme can be stopped alone; the last one ends the mandate.',
  M24: 'A service under test shows who acts, stores it, reports, believes no wrong answer and stops when it is told; one that does not is named.',
  M20: 'An ended mandate never lives again, neither through the API nor through SQL in the application’s role.',
  M21: 'Only those who are entitled end a mandate, and the person reads why.',
  M22: 'When two structures would act for the same theme, the person is asked, and nothing is silent.',
  M23: 'An aidant cannot be the usager of a mandate of their own.',
  J1: 'One decision is one entry: nothing is lost or doubled when processes die under load.',
  J2: 'When the journal cannot be written, nothing is granted.',
  J3: 'The application’s role can neither change nor delete an entry.',
  J4: 'An entry changed, removed, added, moved or cut off by a superuser is named by the verification.',
  J5: 'Whoever shows two histories of the journal is found out by the first who compares, and the proof is kept.',
  J6: 'An entry cannot be dated before or after the times from outside that surround it.',
  J7: 'The usager, the administration and the export read the same entries.',
  J8: 'Reading the journal is an entry, with its reason, which the usager sees.',
  J9: 'Entries of more than a thousand people leave only with a second person.',
  J10: 'What is due for erasure, and nothing else, becomes unreadable, with an entry; the journal still verifies.',
  J11: 'A service reports only for its own live sessions, once, in the vocabulary.',
  J13: 'No text from outside breaks the line or the meaning of an entry.',
  J14: 'A printed statement is checked against the published key, offline; a changed page is found.',
  J15: 'What the person contests, or what an aidant says was a mistake, cannot be hidden by anybody.',
  J16: 'A page of the journal comes as fast among millions of entries as among a few.',
  J17: 'When clocks disagree, it is said, entries are marked, and the service goes on.',
  J18: 'When witnesses or the signer are silent, the service goes on, says so, then stops what gives a power.',
  I1: 'No parameter is ever SQL.',
  I2: 'A name that begins like a formula is text in every file.',
  I3: 'Nothing that a service registers makes Relais speak to an address inside: neither a name, nor a redirect, nor a name that changes its mind.',
  I4: 'Links carry the configured address, whatever the Host header says.',
  I5: 'Names such as __proto__ in input have no effect.',
  I6: 'A name adds no header and no line to a message.',
  I7: 'Whatever stands in a name is plain text in the PDF, which fetches nothing.',
  I8: 'No text keeps a validator busy.',
  I9: 'A name that imitates another by signs that are not seen is refused at registration.',
  I10: 'What costs a parser more than whoever sends it (nesting, compression, encoding) is refused at once.',
  U1: 'A federation that never answers costs five seconds and a clear page; the other keeps working.',
  U4: 'A forged or too weak answer of a federation is refused and recorded.',
  U5: 'The same identifier from two federations is two people.',
  U8: 'When the civil identity of a known account changes, nothing is merged in silence.',
  U9: 'An incomplete identity gets a plain page, and no row.',
  U10: 'A forged, unknown, doubled or late message of the gateway is never a consent.',
  K3: 'When a service changes its keys, both are accepted during the time that was agreed, and then the new ones alone.',
  C1: 'Cut anywhere, a step is whole or not there, and the person goes on.',
  C5: 'A missing, weak or demonstration setting refuses to start, and all of them are named at once.',
  C6: 'Whoever tells a service and dies before the answer is followed by somebody who tells it again, under the same identifier.',
  V1: 'No personal data in logs, addresses or errors.',
  V2: 'No secret in logs.',
  V3: 'An error says a code and what to do, and nothing of the inside.',
  V4: 'No personal page is kept by a cache.',
  V6: 'Nobody can search for a person: an aidant sees only the live mandates of the current organisation.',
  V8: 'No page asks anything of a third party.',
  V9: 'A person gets everything that is held on her, and nothing of anybody else.',
  V10: 'A message says nothing on a locked screen that others should not read.',
  T1: 'Every secret is compared in a time that does not depend on it.',
  T2: 'Instances whose clocks are 30 seconds apart accept nothing early, nothing later than the difference, and what is stopped is stopped everywhere.',
  T3: 'A clock that steps five minutes brings nothing back to life, gives nobody more tries, and stops no work.',
  T4: 'Days are French days: the end that is shown is the end that is enforced.',
  T5: 'At the exact instant of an end there is one answer, everywhere.',
  T6: 'The date that is printed is today’s, however long the process has run.',
  B3: 'When the answer of the database is lost, the same request again has one effect.',
  B6: 'A server of the database that only repeats another is asked nothing: what it says may be old.',
  B7: 'A deadlock is tried again, a bounded number of times, and doubles nothing.',
  K1: 'The key that signs changes without a failure: published a day before it signs, and a day after.',
  K2: 'A key declared stolen signs nothing more and is published no more within five minutes, and what was open has ended.',
  K6: 'Whoever steals the journal’s key cannot change the past that was witnessed; a change of key is signed by both.',
  L6: 'An erasure reaches the copies: what was erased opens nowhere once the keys’ own copies are too old.',
  D4: 'A header, a body or a list of parameters beyond its size is refused at once, and changes nothing.',
  D5: 'Many sign-ins at once neither starve the process nor escape the limit.',
  D9: 'Authorizations begun by the thousand leave a bounded number of rows, and are purged.',
  D7: 'Nobody makes Relais send messages without end.',
} as const;

interface Stored {
  readonly whole: boolean;
  readonly tests: readonly TestRecord[];
}

const root = resolve(import.meta.dirname, '..');
const source = resolve(root, 'reports/tests.json');

/** The claims at the start of a title: `M5 …`, or several: `P1 P12 …`. */
const claimsOf = (title: string): string[] => /^((?:[A-Z]\d{1,2}[ ,:]+)+)/.exec(`${title} `)?.[1]?.match(/[A-Z]\d{1,2}/g) ?? [];

const cell = (text: string): string =>
  text
    .replaceAll('|', '\\|')
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('<', '&lt;');
const NAMES: Readonly<Record<string, string>> = { pglite: 'PGlite', postgres: 'PostgreSQL', both: 'both' };
/** One line for a test that ran on two databases. */
const plain = (title: string): string => title.replace(/,? (?:on|sur) (?:pglite|postgres)\b/i, '');

const row = (claim: string, records: readonly TestRecord[]): string => {
  const databases = [...new Set(records.map((record) => NAMES[record.database ?? ''] ?? '–'))].sort();
  const [first] = records;
  const counts = [...new Set(records.map((record) => (record.assertions === undefined ? '–' : `${record.atLeast ? '≥ ' : ''}${record.assertions}`)))];
  return `| ${claim} | ${cell(plain(first?.title ?? '').replace(/^(?:[A-Z]\d{1,2}[ ,:]+)+/, ''))} | \`${first?.file}\` | ${databases.join(', ')} | ${counts.join(', ')} |`;
};

const sectionOf = (claim: string, promise: string, records: readonly TestRecord[]): string => {
  const groups = Map.groupBy(records, (record) => `${record.file}\n${plain(record.title)}`);
  const rows = [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => row(claim, group));
  return `### ${claim}\n\n${promise}\n\n| claim | test | file | database | assertions |\n|---|---|---|---|---|\n${rows.join('\n') || `| ${claim} | none | – | – | – |`}\n`;
};

const faultOf = (records: readonly TestRecord[]): string | undefined => {
  if (records.length === 0) return 'has no test';
  const bad = records.find((record) => record.outcome !== 'passed');
  if (bad) return `${bad.outcome}: ${bad.file}: ${bad.title}`;
  const uncounted = records.find((record) => record.assertions === undefined);
  if (uncounted) return `does not count its assertions (use test/support/check.ts): ${uncounted.file}: ${uncounted.title}`;
  const empty = records.find((record) => record.assertions === 0);
  return empty ? `asserts nothing: ${empty.file}: ${empty.title}` : undefined;
};

const main = (): number => {
  if (!existsSync(source)) {
    process.stderr.write('reports/tests.json is missing: run npm test first\n');
    return 1;
  }
  const stored = JSON.parse(readFileSync(source, 'utf8')) as Stored; // written by test/run.ts
  const sections: string[] = [];
  const faults: string[] = [];
  for (const [claim, promise] of Object.entries(PROMISES)) {
    const records = stored.tests.filter((record) => claimsOf(record.title).includes(claim));
    sections.push(sectionOf(claim, promise, records));
    const fault = faultOf(records);
    if (fault) faults.push(`${claim} ${fault}`);
  }
  if (!stored.whole) process.stderr.write('reports/tests.json is not of a whole run: docs/claims.md was left as it is\n');
  else
    writeFileSync(
      resolve(root, 'docs/claims.md'),
      `# What is promised, and the tests that prove it\n\nWritten by \`npm run claims\` from the report of \`npm test\`; do not edit. ` +
        `“≥” is what a test that depends on timing or chance runs at the very least.\n\n${sections.join('\n')}`,
    );
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.stdout.write(`${Object.keys(PROMISES).length - faults.length} claims proved, ${faults.length} not\n`);
  return faults.length || !stored.whole ? 1 : 0;
};

process.exitCode = main();
