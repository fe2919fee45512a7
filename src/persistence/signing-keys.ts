import type { SigningAlg, SigningKeyStore } from '../provider/key-set.ts';
import { rows, run } from './database.ts';
import { sql } from './sql.ts';

export const signingKeyStore: SigningKeyStore = {
  async all(tx) {
    const found = await rows<{ kid: string; alg: SigningAlg; published_at: Date; promoted_at: Date | null; revoked_at: Date | null }>(
      tx,
      sql`select kid, alg, published_at, promoted_at, revoked_at from signing_key order by published_at, kid`,
    );
    return found.map((each) => ({
      kid: each.kid,
      alg: each.alg,
      publishedAt: each.published_at,
      promotedAt: each.promoted_at ?? undefined,
      revokedAt: each.revoked_at ?? undefined,
    }));
  },
  async publish(tx, keys) {
    await run(
      tx,
      sql`insert into signing_key (kid, alg, published_at)
        select kid, alg, clock_timestamp() from unnest(${keys.map(({ kid }) => kid)}::text[], ${keys.map(({ alg }) => alg)}::text[]) k (kid, alg) order by kid
        on conflict (kid) do nothing`,
    );
  },
  async promote(tx, kid, since, event) {
    return (
      (await run(
        tx,
        sql`update signing_key set promoted_at = clock_timestamp(), promoted_event = ${event} where kid = ${kid} and revoked_at is null and published_at <= ${since}`,
      )) > 0
    );
  },
  async revoke(tx, kid, event) {
    return (
      (await run(
        tx,
        sql`update signing_key set revoked_at = clock_timestamp(), revoked_event = ${event} where kid = ${kid} and revoked_at is null`,
      )) > 0
    );
  },
  async lock(tx) {
    await rows(tx, sql`select kid from signing_key order by kid for update`);
  },
  async dropTokens(tx) {
    await run(tx, sql`delete from oidc_artefact where model <> 'Interaction'`);
  },
};
