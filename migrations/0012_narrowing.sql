-- A mandate may be narrower than its themes (product.md): named démarches only, reading only, one session only. Named démarches keep the names
-- that both wills read: [{"code", "service", "fr", "en"}].
create function demarches_named(named jsonb) returns boolean language sql immutable as $$
  select jsonb_typeof(named) = 'array' and jsonb_array_length(named) between 1 and 20
    and not exists (select 1 from jsonb_array_elements(named) d
      where jsonb_typeof(d) <> 'object' or not (d ?& array['code', 'service', 'fr', 'en']) or jsonb_typeof(d -> 'code') <> 'string')
$$;

alter table mandate_draft
  add column demarches jsonb check (demarches_named(demarches)),
  add column read_only boolean not null default false,
  add column single_use boolean not null default false;

alter table mandate
  add column demarches jsonb check (demarches_named(demarches)),
  add column read_only boolean not null default false,
  add column single_use boolean not null default false;

-- What a mandate holds is what its draft said when both agreed: never wider, whatever the code does.
create function refuse_wider() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from mandate_draft d
      where d.id = new.draft_id and d.demarches is not distinct from new.demarches and d.read_only = new.read_only and d.single_use = new.single_use
        and d.days = new.days) then
    raise exception 'a mandate holds what was agreed' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger never_wider before insert on mandate for each row execute function refuse_wider();

create function refuse_wider_grant() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from mandate m join mandate_draft d on d.id = m.draft_id where m.id = new.mandate_id and new.theme = any (d.themes)) then
    raise exception 'a mandate holds what was agreed' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger never_wider before insert on mandate_grant for each row execute function refuse_wider_grant();

-- Démarches that a session is held to: null when its mandate names none and is not for reading only.
alter table delegated_session
  add column demarches text[] check (cardinality(demarches) > 0),
  add column single_use boolean not null default false;
-- A mandate for one use opens one session, whatever the code does.
create unique index delegated_session_once on delegated_session (mandate_id) where single_use;

create or replace view mandate_read as
  select m.id, m.reference, m.organisation_id, o.name organisation_name, m.usager_id, m.days, m.starts_at, m.ends_at, m.consent_method, m.consent_acr,
    m.consented_at, m.accepted_by, a.given_name accepted_by_name, m.ended_at, m.end_reason, u.given_name, u.family_name, u.preferred_username, u.gender, m.draft_id,
    (select json_agg(json_build_object('theme', g.theme, 'endedAt', g.ended_at) order by g.theme) from mandate_grant g where g.mandate_id = m.id) themes,
    m.demarches, m.read_only, m.single_use, m.single_use and exists (select 1 from delegated_session d where d.mandate_id = m.id and d.single_use) used
  from mandate m join organisation o on o.id = m.organisation_id join staff a on a.id = m.accepted_by join usager u on u.id = m.usager_id;
