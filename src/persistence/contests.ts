import type { ContestStore, RemarkKind, Said } from '../actions/contests.ts';
import { rows, run } from './database.ts';
import { sql } from './sql.ts';

export const contestStore: ContestStore = {
  async add(tx, remark) {
    const added = await run(
      tx,
      sql`insert into remark (about, kind, session_id, said_by, said_at, event_id)
        values (${remark.about}, ${remark.kind}, ${remark.sessionId}, ${remark.by}, ${remark.at}, ${remark.eventId}) on conflict (about, kind) do nothing`,
    );
    return added > 0;
  },
  async said(tx, events) {
    const all = new Map<string, Said>();
    if (!events.length) return all;
    const found = await rows<{ about: string; kind: RemarkKind; at: Date }>(
      tx,
      sql`select about, kind, said_at at from remark where about = any (${events}::uuid[])`,
    );
    for (const { about, kind, at } of found) all.set(about, { ...all.get(about), [kind]: at });
    return all;
  },
};
