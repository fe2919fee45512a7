import type { OrganisationId } from '../kernel/ids.ts';
import type { Organisation } from '../organisations/organisation.ts';
import type { OrganisationStore } from '../organisations/organisations.ts';
import type { Theme } from '../organisations/theme.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface Row {
  id: OrganisationId;
  name: string;
  siret: string;
  themes: Theme[];
  status: Organisation['status'];
  created_at: Date;
}

const toOrganisation = (found: Row): Organisation => ({
  id: found.id,
  name: found.name,
  siret: found.siret,
  themes: found.themes,
  status: found.status,
  createdAt: found.created_at,
});

/** Keeps organisations in the table `organisation`. */
export const organisationStore: OrganisationStore = {
  insert: async (tx, it) =>
    (await run(
      tx,
      sql`insert into organisation (id, name, siret, themes, status, created_at)
          values (${it.id}, ${it.name}, ${it.siret}, ${[...it.themes]}, ${it.status}, ${it.createdAt}) on conflict (siret) do nothing`,
    )) === 1,
  find: async (tx, id) => {
    const found = await row<Row>(tx, sql`select id, name, siret, themes, status, created_at from organisation where id = ${id}`);
    return found && toOrganisation(found);
  },
  findBySiret: async (tx, siret) => {
    const found = await row<Row>(tx, sql`select id, name, siret, themes, status, created_at from organisation where siret = ${siret}`);
    return found && toOrganisation(found);
  },
  list: async (tx) =>
    (await rows<Row>(tx, sql`select id, name, siret, themes, status, created_at from organisation order by name, id`)).map(toOrganisation),
  suspend: async (tx, id) => (await run(tx, sql`update organisation set status = 'suspended' where id = ${id} and status = 'active'`)) === 1,
  end: async (tx, id) => (await run(tx, sql`update organisation set status = 'ended' where id = ${id} and status <> 'ended'`)) === 1,
};
