import type { EventType } from '../../src/journal/event.ts';
import type { Filter } from '../../src/journal/journal.ts';
import { select } from '../../src/persistence/journal.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';

/** Reading stays flat however long the journal is: every page comes out of one index, in order, and touches what it shows. */

const NIGHTLY = process.env['RELAIS_TEST_NIGHTLY'] === '1';
/** Ten million at night, unless RELAIS_TEST_ENTRIES says otherwise. */
const ENTRIES = NIGHTLY ? Number(process.env['RELAIS_TEST_ENTRIES'] ?? 10_000_000) : 100_000;
const START = Date.parse('2025-01-01T00:00:00Z');
const at = (part: number): Date => new Date(START + part * 31_536_000_000);

const kind = postgresOnly();
if (kind)
  test(`J16 pages of a person, a structure and an administration stay flat among ${ENTRIES} entries, with every filter`, {
    database: 'postgres',
  }, async (t) => {
    const { database, drop } = await kind.fresh();
    t.after(drop);
    const types: EventType[] = ['action.reported', 'session.opened', 'session.ended', 'token.issued', 'session.refused'];
    await database.asOwner(async (query) => {
      await query('set synchronous_commit = on'); // the visibility map is made of what is durable
      await query(
        `insert into journal.projection (idx, at, usager_n, organisation_n, administration_n, aidant_n, type, usager, organisation, administration, aidant, mandate, session,
          service, theme, demarche, verb, outcome)
        select i, $2::timestamptz + (i * ($3::float8 / $1)) * interval '1 second', 1, 1, 1, 1, ($4::text[])[1 + i % 5], 'usg_' || (i * 7919) % ($1 / 40), 'org_' || (i * 31) % 300,
          'adm_' || case when i % 2 = 0 then 0 else i % 20 end, 'aid_' || i % 900, 'man_' || i % ($1 / 40), 'dls_' || i / 6, 'svc-' || i % 20, 'theme-' || i % 7, 'demarche-' || i % 60, 'declare',
          case when i % 997 = 0 then 'refused' else 'accepted' end
        from generate_series(0, $1::bigint - 1) i`,
        [ENTRIES, at(0), 31_536_000, types],
      );
      await query('vacuum analyze journal.projection');
    });
    const administration = 'adm_0'; // half of everything
    const filters: Filter[] = [
      { usager: 'usg_5' },
      { usager: 'usg_5', types },
      { usager: 'usg_5', before: ENTRIES / 2 },
      { usager: 'usg_nobody' },
      { organisation: 'org_9' },
      { organisation: 'org_9', before: ENTRIES / 4 },
      { aidant: 'aid_9' },
      { session: 'dls_77' },
      { administration },
      { administration, before: ENTRIES / 2 },
      { administration, before: ENTRIES - 1 },
      { administration, service: 'svc-4' },
      { administration, theme: 'theme-3' },
      { administration, demarche: 'demarche-20' },
      { administration, outcome: 'refused' },
      { administration, types: ['session.refused'] },
      { administration, from: at(0.3), until: at(0.31) },
      { administration, until: at(0.02) },
      { administration, from: at(0.3), until: at(0.5), outcome: 'refused', service: 'svc-4' },
      { administration, outcome: 'refused', theme: 'theme-3', demarche: 'demarche-20' },
      { administration, before: ENTRIES / 2, service: 'svc-6', types: ['action.reported', 'token.issued'] },
      { administration: 'adm_7', service: 'svc-7' },
      { administration, service: 'svc-nothing' },
    ];
    const slow: number[] = [];
    for (const filter of filters) {
      const { text, values } = select(filter);
      // What finds the page; what each line then costs is a key of each table.
      const page = /from (\(select.*?\) page)/s.exec(text)?.[1]?.replace(/^\(|\) page$/g, '') ?? '';
      await database.asOwner(async (query) => {
        const name = JSON.stringify(filter);
        const began = performance.now();
        const found = (await query(page, [...values])).map((row) => Number(row['idx']));
        slow.push(performance.now() - began);
        // The same by brute force.
        await query('set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off');
        const naive = (await query(page, [...values])).map((row) => Number(row['idx']));
        await query('reset all');
        const plan = JSON.stringify((await query(`explain (analyze, buffers, format json) ${page}`, [...values]))[0]);
        const anything = naive.length > 0; // a search that finds nothing has read everything of that administration
        assert.ok(!anything || !/"Node Type":"(Seq Scan|Sort|Bitmap)/.test(plan), `${name}: ${plan.replaceAll(/"[^"]*Blocks":0,?/g, '')}`);
        const buffers = Number(/"Shared Hit Blocks":(\d+)/.exec(plan)?.[1]) + Number(/"Shared Read Blocks":(\d+)/.exec(plan)?.[1]);
        if (!filter.service && !filter.theme && !filter.demarche && !filter.outcome && !filter.types)
          assert.ok(buffers <= 120, `${name}: ${buffers} buffers`);
        if (filter.administration && anything) assert.match(plan, /Index Only Scan/, `${name}: ${plan}`);
        assert.deepEqual(found, naive, name);
        assert.ok(found.every((index, i) => i === 0 || index < (found[i - 1] ?? 0)));
        if (Object.keys(filter).length < 3 && !JSON.stringify(filter).includes('-no') && !JSON.stringify(filter).includes('_no'))
          assert.ok(found.length > 0, name);
      });
    }
    slow.sort((a, b) => a - b);
    t.diagnostic(
      `p50 ${slow[Math.floor(slow.length / 2)]?.toFixed(1)} ms, p95 ${slow[Math.floor(slow.length * 0.95)]?.toFixed(1)} ms, longest ${slow.at(-1)?.toFixed(1)} ms`,
    );
  });
