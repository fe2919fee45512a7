// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the guards are quoted as they stand in their files
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Guard {
  readonly claim: string;
  /** What is taken out. */
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const GUARDS: readonly Guard[] = [
  {
    claim: 'P1',
    what: 'the condition that makes a code single-use',
    file: 'src/persistence/artefact-writes.ts',
    from: "where o.model = 'AuthorizationCode' and o.id = a.code and o.consumed_at is null and",
    to: "where o.model = 'AuthorizationCode' and o.id = a.code and",
  },
  {
    claim: 'P4',
    what: 'PKCE required of every client',
    file: 'src/provider/options.ts',
    from: "pkce: { required: (_ctx, found) => !isFront(found['relais_profile']) }",
    to: 'pkce: { required: () => false }',
  },
  {
    claim: 'S1',
    what: 'the guard against forged forms, before every POST',
    file: 'src/web/http.ts',
    from: 'const refused = await refuseForgery(kit, request);',
    to: 'const refused = (await refuseForgery(kit, request)) && undefined;',
  },
  {
    claim: 'S13',
    what: 'the end of the first person’s sessions when another is chosen',
    file: 'src/delegation/sessions.ts',
    from: '(await endIn(tx, { webSession: asked.webSession, exceptUsager: facts.usager.id,',
    to: '(await endIn(tx, { webSession: asked.webSession, serviceId: asked.serviceId, exceptUsager: facts.usager.id,',
  },
  {
    claim: 'M1',
    what: 'the mandate belongs to the organisation that is selected',
    file: 'src/delegation/sessions.ts',
    from: "if (mandate.organisationId !== asked.organisationId) return 'not_found';",
    to: '',
  },
  {
    claim: 'M5',
    what: 'a live session needs a mandate that has not ended',
    file: 'migrations/0055_begun.sql',
    from: 'and m.ended_at is null and begun(m.starts_at, at) and m.ends_at > at and not s.administration_id = any (m.barred)\n    and g.ended_at is null',
    to: '',
  },
  {
    claim: 'M7',
    what: 'the themes of the service in what is granted',
    file: 'src/mandates/policy.ts',
    from: 'sets.service.includes(theme) &&',
    to: '',
  },
  {
    claim: 'M5',
    what: 'the end of its sessions, in the transaction that stops a mandate',
    file: 'src/mandates/ending.ts',
    from: 'const { ended: sessions } = await endSessions(tx, which, sessionEnd, now);',
    to: 'const sessions = 0;',
  },
  {
    claim: 'M17',
    what: 'the lock that a token and a stop of the mandate compete for',
    file: 'src/persistence/artefact-writes.ts',
    from: 'and d.ended_at is null order by d.id for share of d)',
    to: 'and d.ended_at is null order by d.id)',
  },
  {
    claim: 'M17',
    what: 'the lock that an opening and a suspension compete for',
    file: 'src/persistence/sessions.ts',
    from: 'for share of m, o, a, b',
    to: '',
  },
  {
    claim: 'J2',
    what: 'the entry in the statement that uses a code up',
    file: 'src/persistence/artefact-writes.ts',
    from: 'where e.code in (select id from used))',
    to: 'where e.code in (select id from used) and false)',
  },
  {
    claim: 'J3',
    what: 'the queue that the application only adds to',
    file: 'migrations/0001_roles_and_journal.sql',
    from: 'grant insert, select on journal.queue to relais_app;',
    to: 'grant insert, select, update, delete on journal.queue to relais_app;',
  },
  {
    claim: 'J3',
    what: 'the triggers that keep the past from changing by mistake',
    file: 'migrations/0041_sealed_boxes.sql',
    from: "raise exception 'journal.% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';",
    to: 'return coalesce(new, old);',
  },
  {
    claim: 'J4',
    what: 'the hash of each leaf, computed again',
    file: 'src/journal/verify-entry.ts',
    from: "if (altered) tell('leaf_altered',",
    to: "if (row.leaf.length === 0) tell('leaf_altered',",
  },
  {
    claim: 'U4',
    what: 'the list of levels accepted from a federation',
    file: 'src/upstream/connector.ts',
    from: 'if (!claims || !contract.accepted.includes(acr)) {',
    to: 'if (!claims) {',
  },
  {
    claim: 'U8',
    what: 'the database compares the identity with the one that two people approved',
    file: 'migrations/0046_identity_review.sql',
    from: 'if not found or asked.hash <> sha256(',
    to: 'if not found or false and asked.hash <> sha256(',
  },
  {
    claim: 'J1',
    what: 'an entry that waits is not taken for one that is missing',
    file: 'src/persistence/journal-scrub.ts',
    from: '(select true from journal.queue q where q.event_id = h.event and q.type = any (h.types))) is null',
    to: '(select null::boolean)) is null',
  },
  {
    claim: 'L6',
    what: 'entries of a party whose key opens with nothing wait',
    file: 'src/persistence/journal-batch.ts',
    from: 'const able = authentic.filter((one) => !lead.stuck.has(one.queueId));',
    to: 'const able = authentic;',
  },
  {
    claim: 'P5',
    what: 'pushed requests alone from a service of the strict profile',
    file: 'src/provider/clients.ts',
    from: 'require_pushed_authorization_requests: true,',
    to: '',
  },
  {
    claim: 'P9',
    what: 'an assertion ends within an hour',
    file: 'src/provider/options.ts',
    from: 'if (!(Number(exp) <= now + AHEAD_SECONDS + ASSERTION_SECONDS))',
    to: 'if (!Number(exp))',
  },
  {
    claim: 'P10',
    what: 'a proof is used once, where acts are reported',
    file: 'src/provider/dpop.ts',
    from: "return first ? undefined : 'the DPoP proof was already used';",
    to: 'return (first || undefined) && undefined;',
  },
  {
    claim: 'P20',
    what: 'introspection answers the owner of the token alone',
    file: 'src/provider/options.ts',
    from: 'found.clientId === token.clientId',
    to: 'found.clientId !== undefined && token.clientId !== undefined',
  },
  {
    claim: 'C6',
    what: 'the order of what belongs to one session',
    file: 'src/persistence/deliveries.ts',
    from: 'and not exists (select 1 from delivery p where p.session_id = w.session_id and p.target = w.target and p.done_at is null and p.seq < w.seq)',
    to: '',
  },
  {
    claim: 'M24',
    what: 'the level that a service asks of a consent',
    file: 'src/delegation/sessions.ts',
    from: "if (service.minimumConsent === 'eidas2' && lowest(proofOf(facts), asked.aidantAcr) !== 'eidas2') return 'unmet_level';",
    to: '',
  },
  {
    claim: 'I3',
    what: 'every address that a name stands for is looked at',
    file: 'src/signals/outgoing.ts',
    from: 'found.every((each) => fits(each.address))',
    to: 'found.some((each) => fits(each.address))',
  },
  {
    claim: 'I3',
    what: 'the connection goes to the address that was checked',
    file: 'src/signals/outgoing.ts',
    from: 'lookup: pinned(found),',
    to: '',
  },
  {
    claim: 'D9',
    what: 'the limit of authorizations begun from one address',
    file: 'src/web/flow-limits.ts',
    from: "return (address) => ofOne(networkOf(address)) && ofAll('all');",
    to: "return (address) => ofOne(networkOf(address)) || ofAll('all');",
  },
  {
    claim: 'K1',
    what: 'a key signs a day after it was published at the soonest',
    file: 'src/provider/signing.ts',
    from: 'early ? now.getTime() + CLOCKS_APART_MS : now.getTime() - PUBLISHED_MS',
    to: 'now.getTime() + CLOCKS_APART_MS',
  },
  {
    claim: 'K2',
    what: 'a key that was revoked is published no more',
    file: 'src/provider/key-set.ts',
    from: '&& !of.get(key.kid)?.revokedAt',
    to: '',
  },
  {
    claim: 'B6',
    what: 'a server that repeats another is asked nothing',
    file: 'src/persistence/database.ts',
    from: "if (said.parameterName === 'in_hot_standby') this.standby = said.parameterValue === 'on';",
    to: 'this.standby = said.parameterName === undefined;',
  },
  {
    claim: 'T2',
    what: 'a mandate signed at a clock that is ahead has begun',
    file: 'migrations/0055_begun.sql',
    from: "select starts_at <= at + interval '45 seconds'",
    to: 'select starts_at <= at',
  },
];

/** The claim at the start of a title, alone or among others: `M5 …`, `M13 M14 …`. */
export const titled = (claim: string): string => `(?:[A-Z]\\d{1,2}[ ,:]+)*${claim}[ ,:]`;

export const filesOf = (folder: string, claim: string): string[] =>
  globSync('test/**/*.test.{ts,tsx}', { cwd: folder })
    .filter((file) => !/^test\/(?:browser|nightly)\//.test(file))
    .filter((file) => new RegExp(`['"\`]${titled(claim)}`).test(readFileSync(join(folder, file), 'utf8')))
    .sort();

/** The text of a guard's file, when the guard stands in it exactly once. */
export const textOf = (folder: string, guard: Guard): string | undefined => {
  const text = readFileSync(join(folder, guard.file), 'utf8');
  return text.split(guard.from).length === 2 ? text : undefined;
};
