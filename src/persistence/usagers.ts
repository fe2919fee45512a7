import { newId, type UsagerId } from '../kernel/ids.ts';
import type { Usager } from '../usagers/usager.ts';
import type { UsagerStore } from '../usagers/usagers.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface UsagerRow {
  id: UsagerId;
  given_name: string;
  family_name: string;
  preferred_username: string | null;
  gender: 'male' | 'female';
  birthdate: string;
  birthplace: string;
  birthcountry: string;
  email: string | null;
}

const read = (found: UsagerRow): Usager => ({
  id: found.id,
  givenName: found.given_name,
  familyName: found.family_name,
  preferredUsername: found.preferred_username ?? undefined,
  gender: found.gender,
  birthdate: found.birthdate,
  birthplace: found.birthplace,
  birthcountry: found.birthcountry,
  email: found.email ?? undefined,
});

export const createUsagerStore = (): UsagerStore => ({
  async find(tx, id) {
    const found = await row<UsagerRow>(
      tx,
      sql`select id, given_name, family_name, preferred_username, gender, birthdate, birthplace, birthcountry, email from usager where id = ${id}`,
    );
    return found && read(found);
  },
  async byIdentity(tx, iss, sub) {
    const found = await row<UsagerRow>(
      tx,
      sql`select u.id, u.given_name, u.family_name, u.preferred_username, u.gender, u.birthdate, u.birthplace, u.birthcountry, u.email
        from usager_identity i join usager u on u.id = i.usager_id where i.iss = ${iss} and i.sub = ${sub}`,
    );
    return found && read(found);
  },
  async lockIdentity(tx, iss, sub) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`usager ${iss} ${sub}`}, 0))`);
  },
  async withoutIdentity(tx, birthdate) {
    const found = await rows<UsagerRow>(
      tx,
      sql`select u.id, u.given_name, u.family_name, u.preferred_username, u.gender, u.birthdate, u.birthplace, u.birthcountry, u.email
        from usager u where u.birthdate = ${birthdate} and not exists (select 1 from usager_identity i where i.usager_id = u.id)`,
    );
    return found.map(read);
  },
  async add(tx, usager, now) {
    await run(
      tx,
      sql`insert into usager (id, given_name, family_name, preferred_username, gender, birthdate, birthplace, birthcountry, email, created_at)
        values (${usager.id}, ${usager.givenName}, ${usager.familyName}, ${usager.preferredUsername ?? null}, ${usager.gender}, ${usager.birthdate},
          ${usager.birthplace}, ${usager.birthcountry}, ${usager.email ?? null}, ${now})`,
    );
    if (usager.email && usager.email.length >= 3 && usager.email.length <= 254)
      await run(
        tx,
        sql`insert into channel (id, usager_id, kind, address, added_by, added_at) values (${newId('chn')}, ${usager.id}, 'mail', ${usager.email}, 'franceconnect', ${now})`,
      );
  },
  async link(tx, id, iss, sub, now) {
    await run(tx, sql`insert into usager_identity (iss, sub, usager_id, linked_at) values (${iss}, ${sub}, ${id}, ${now})`);
  },
});
