import { verifierOf } from '../../src/journal/note.ts';
import { verify } from '../../src/journal/verify.ts';
import { publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { agreed, begin, confirm, confirmation, csrfOf, eventOf, type Reported, reportAt, sessionOf, until } from '../support/acting.ts';
import { assert } from '../support/check.ts';
import type { DatabaseKind } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

export interface KillReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly entries: number;
  readonly mandates: number;
  readonly sessions: number;
}

/** How much longer than asked the load may go on, so that enough instances are killed. */
const PATIENCE_MS = 180_000;

/**
 * Claim J1: two instances on one PostgreSQL under load, one of them killed without warning again and again. Afterwards each decision has its one
 * entry, each receipt that was given is in the log with its hash, and the log verifies.
 */
export const loadWithKills = async (kind: DatabaseKind, milliseconds: number, leastKills = 2): Promise<KillReport> => {
  const world = await openWorld(kind);
  const errors: string[] = [];
  const children: Instance[] = [];
  let end = 0;
  // A slow machine takes longer to bring an instance back: the load goes on until enough of them were killed.
  const running = (): boolean => performance.now() < end || (kills < leastKills && performance.now() < end + PATIENCE_MS);
  const any = (): string => children[Math.floor(Math.random() * children.length)]?.origin ?? '';
  const acknowledged = new Map<string, { index: number; leaf: string }>();
  let kills = 0;
  let confirmed = 0;

  const reporter = async (token: string, session: string, service: { id: string }, name: string): Promise<void> => {
    for (let i = 0; running(); i++) {
      const event = eventOf(service, session, `${name}-${i}`);
      // Sent again until somebody answers: the answer may be lost, the act may not, nor be there twice.
      for (let tries = 0; ; tries++) {
        assert.ok(tries < 600, `no instance answers any more: ${errors.slice(-5).join('')}`);
        const answer = await reportAt(world, token, event, any()).catch((): Reported => ({ status: 0, body: {} }));
        if (answer.status === 202 && answer.body.index !== undefined && answer.body.leaf) {
          acknowledged.set(event.id, { index: answer.body.index, leaf: answer.body.leaf });
          break;
        }
        assert.ok([0, 500, 503].includes(answer.status), `${answer.status} ${JSON.stringify(answer.body)}`);
        await new Promise((wait) => setTimeout(wait, 50));
      }
    }
  };
  const confirmer = async (open: () => Promise<boolean>): Promise<void> => {
    while (running()) {
      if (await open().catch(() => false)) confirmed++;
      else await new Promise((wait) => setTimeout(wait, 50));
    }
  };
  const stopper = async (): Promise<void> => {
    while (running()) {
      const mandate = await agreed(world, 'noms-longs', ['papiers']);
      await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      await new Promise((wait) => setTimeout(wait, 20));
    }
  };
  const killer = async (): Promise<void> => {
    while (running()) {
      await new Promise((wait) => setTimeout(wait, 400 + Math.random() * 1200));
      if (!running()) return;
      const i = Math.floor(Math.random() * children.length);
      const victim = children[i];
      if (!victim) return;
      await victim.end('SIGKILL');
      kills++;
      children[i] = await startInstance(world, { errors });
    }
  };

  try {
    const karim = await signedInAidant(world);
    const csrf = await csrfOf(world, karim);
    const mandate = await agreed(world, 'colette', ['logement']);
    const names = ['a', 'b', 'c'];
    const services = await Promise.all(names.map((name) => world.service(`load-${name}`)));
    const busy = await world.service('load-sessions');
    const tokens: [string, string, { id: string }][] = [];
    for (const service of services) {
      const { tokens: got, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      tokens.push([got.access_token, sessionOf(claims), service]);
    }
    await world.app.close(); // from here on only those who may be killed lead
    children.push(...(await Promise.all([startInstance(world, { errors }), startInstance(world, { errors })])));
    const open = async (): Promise<boolean> => {
      const at = any();
      const begun = await begin(karim, busy, 'openid dlg:logement', at);
      const answer = await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf), at);
      await answer.body?.cancel();
      return answer.status === 303;
    };
    end = performance.now() + milliseconds;
    await Promise.all([
      ...tokens.flatMap(([token, session, service], i) => [0, 1].map((j) => reporter(token, session, service, `${names[i]}${j}`))),
      confirmer(open),
      stopper(),
      killer(),
    ]);
    assert.ok(await until(async () => (await world.sql('select 1 from journal.queue limit 1')).length === 0, 20_000), 'what waited is sequenced');
    await Promise.all(children.map((child) => child.end()));
    return await judge(world, acknowledged, kills, confirmed);
  } finally {
    await Promise.all(children.map((child) => child.end('SIGKILL')));
    await world.close();
  }
};

const judge = async (
  world: World,
  acknowledged: ReadonlyMap<string, { index: number; leaf: string }>,
  kills: number,
  confirmed: number,
): Promise<KillReport> => {
  const { config } = world.demonstration;
  const number = async (text: string): Promise<number> => Number((await world.sql(text))[0]?.['n']);
  const entries = (type: string): Promise<number> => number(`select count(*)::int n from journal.projection where type = '${type}'`);
  // The sequence has no gap, and the head says how long it is.
  const size = await number('select size::int n from journal.head');
  const [span] = await world.sql('select count(*)::int n, min(idx)::int first, max(idx)::int last from journal.leaf');
  assert.deepEqual(span, { n: size, first: 0, last: size - 1 });
  for (const table of ['payload', 'receipt', 'projection']) assert.equal(await number(`select count(*)::int n from journal.${table}`), size, table);
  // Each decision has its entry, and each entry its decision.
  assert.equal(await number('select count(*)::int n from action'), acknowledged.size);
  assert.equal(await entries('action.reported'), acknowledged.size);
  assert.equal(await number('select count(*)::int n from action a join journal.receipt r on r.event_id = a.event_id'), acknowledged.size);
  const mandates = await number('select count(*)::int n from mandate');
  assert.equal(await entries('mandate.created'), mandates);
  assert.equal(await entries('mandate.revoked'), await number("select count(*)::int n from mandate where end_reason = 'revoked'"));
  const sessions = await number('select count(*)::int n from delegated_session');
  assert.ok(sessions >= confirmed, 'each session that was confirmed is there');
  assert.equal(await entries('session.opened'), sessions);
  assert.equal(await number('select count(*)::int n from delegated_session d join journal.receipt r on r.event_id = d.opened_event'), sessions);
  assert.equal(await entries('session.ended'), await number('select count(*)::int n from delegated_session where ended_at is not null'));
  // Each receipt that was given holds: that leaf, at that index.
  const rows = await world.sql(
    `select a.event_key, r.idx::int idx, l.leaf_hash from action a join journal.receipt r on r.event_id = a.event_id join journal.leaf l on l.idx = r.idx`,
  );
  const held = new Map(
    rows.map((each) => [String(each['event_key']), { index: Number(each['idx']), leaf: (each['leaf_hash'] as Buffer).toString('base64url') }]),
  );
  for (const [id, receipt] of acknowledged) assert.deepEqual(held.get(id), receipt, id);
  const report = await verify({
    source: journalSource(world.database),
    origin: world.app.origin,
    trusted: [verifierOf(world.app.origin, publicKeyOf(readPrivateKey(config.keys.pem('journal-ed25519').reveal())))],
    keys: (asked) => world.app.keyStore.load(world.database.auto, asked),
  });
  assert.deepEqual(report.faults, []);
  assert.equal(report.checked, size);
  return { kills, acknowledged: acknowledged.size, entries: size, mandates, sessions };
};
