import type { Passkey } from '../aidants/passkey.ts';
import type { PasskeyStore } from '../aidants/passkeys.ts';
import type { FreshStore, RecoveryStore } from '../aidants/recovery.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface PasskeyRow {
  id: string;
  credential_id: string;
  name: string;
  public_key: Buffer;
  counter: number;
  transports: string[];
  synced: boolean;
  created_at: Date;
  last_used_at: Date | null;
}

const toPasskey = (found: PasskeyRow): Passkey => ({
  id: found.id,
  credentialId: found.credential_id,
  name: found.name,
  publicKey: Buffer.from(found.public_key),
  counter: found.counter,
  transports: found.transports,
  synced: found.synced,
  createdAt: found.created_at,
  lastUsedAt: found.last_used_at ?? undefined,
});

/** Keeps passkeys and the challenges that they answer. */
export const passkeyStore: PasskeyStore = {
  list: async (tx, staffId) =>
    (
      await rows<PasskeyRow>(
        tx,
        sql`select id, credential_id, name, public_key, counter, transports, synced, created_at, last_used_at from passkey
            where staff_id = ${staffId} and revoked_at is null order by created_at, id`,
      )
    ).map(toPasskey),
  lock: async (tx, staffId, credentialId) => {
    const found = await row<PasskeyRow>(
      tx,
      sql`select id, credential_id, name, public_key, counter, transports, synced, created_at, last_used_at from passkey
          where staff_id = ${staffId} and credential_id = ${credentialId} and revoked_at is null for update`,
    );
    return found && toPasskey(found);
  },
  holdMeans: async (tx, staffId) => {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended('means ' || ${staffId}::text, 0))`);
  },
  add: async (tx, staffId, it) =>
    (await run(
      tx,
      sql`insert into passkey (id, credential_id, staff_id, name, public_key, counter, transports, synced, created_at)
          values (${it.id}, ${it.credentialId}, ${staffId}, ${it.name}, ${it.publicKey}, ${it.counter}, ${[...it.transports]}, ${it.synced}, ${it.createdAt})
          on conflict (credential_id) do nothing`,
    )) === 1,
  used: async (tx, key, counter, now) =>
    (await run(
      tx,
      sql`update passkey set counter = ${counter}, last_used_at = ${now} where id = ${key.id} and revoked_at is null and counter = ${key.counter}`,
    )) === 1,
  revoke: async (tx, staffId, id, now) =>
    (await run(tx, sql`update passkey set revoked_at = ${now} where id = ${id} and staff_id = ${staffId} and revoked_at is null`)) === 1,
  addChallenge: async (tx, it) => {
    await run(
      tx,
      sql`insert into passkey_challenge (challenge, nonce, staff_id, purpose, expires_at)
          values (${it.challenge}, ${it.nonce}, ${it.staffId}, ${it.purpose}, ${it.expiresAt})`,
    );
  },
  useChallenge: async (tx, challenge, staffId, purpose, now) => {
    const found = await row<{ nonce: Buffer }>(
      tx,
      sql`update passkey_challenge set used_at = ${now}
          where challenge = ${challenge} and staff_id = ${staffId} and purpose = ${purpose} and used_at is null and expires_at > ${now}
          returning nonce`,
    );
    return found && Buffer.from(found.nonce);
  },
  purgeChallenges: (tx, before) => run(tx, sql`delete from passkey_challenge where expires_at < ${before}`),
  hasCode: async (tx, staffId) =>
    (await row(tx, sql`select 1 from totp where staff_id = ${staffId} and confirmed_at is not null for update`)) !== undefined,
};

/** Keeps the hashes of recovery codes, and when a browser session last accepted a factor. */
export const recoveryStore: RecoveryStore & FreshStore = {
  replace: async (tx, staffId, hashes, now) => {
    await run(tx, sql`delete from recovery_code where staff_id = ${staffId}`);
    for (const hash of hashes) await run(tx, sql`insert into recovery_code (staff_id, hash, created_at) values (${staffId}, ${hash}, ${now})`);
  },
  use: async (tx, staffId, hash, now) =>
    (await run(tx, sql`update recovery_code set used_at = ${now} where staff_id = ${staffId} and hash = ${hash} and used_at is null`)) === 1,
  left: async (tx, staffId) =>
    (await row<{ n: number }>(tx, sql`select count(*)::int n from recovery_code where staff_id = ${staffId} and used_at is null`))?.n ?? 0,
  isFresh: async (tx, webSession, staffId, since) =>
    (await row(
      tx,
      sql`select 1 from web_session
          where hash = ${webSession} and kind = 'staff' and holder_id = ${staffId} and ended_at is null and factor_at > ${since} for update`,
    )) !== undefined,
  prove: async (tx, webSession, now) => {
    await run(tx, sql`update web_session set factor_at = ${now} where hash = ${webSession} and kind = 'staff' and ended_at is null`);
  },
};
