-- A person for whom no mandate may stand any more, and since when (claim M12).
alter table usager
  add column protection text check (protection in ('death', 'guardianship')),
  add column protected_at timestamptz,
  add check ((protection is null) = (protected_at is null));
grant update (protection, protected_at) on usager to relais_app;

-- No new mandate for that person, whatever the code does.
create function refuse_protected() returns trigger language plpgsql as $$
begin
  if exists (select 1 from usager where id = new.usager_id and protection is not null for share) then
    raise exception 'no mandate may be made for this person' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger no_protected before insert on mandate for each row execute function refuse_protected();

-- A list of an organisation's mandates, ended ones included: soonest-ending first.
create index mandate_organisation on mandate (organisation_id, ends_at, id);

-- A mandate with its names and grants: what every page and use case reads of it.
create view mandate_read as
  select m.id, m.reference, m.organisation_id, o.name organisation_name, m.usager_id, m.days, m.starts_at, m.ends_at, m.consent_method, m.consent_acr,
    m.consented_at, m.accepted_by, a.given_name accepted_by_name, m.ended_at, m.end_reason, u.given_name, u.family_name, u.preferred_username, u.gender, m.draft_id,
    (select json_agg(json_build_object('theme', g.theme, 'endedAt', g.ended_at) order by g.theme) from mandate_grant g where g.mandate_id = m.id) themes
  from mandate m join organisation o on o.id = m.organisation_id join staff a on a.id = m.accepted_by join usager u on u.id = m.usager_id;
grant select on mandate_read to relais_app;

-- A recap that renews a mandate: who, what and how long are that mandate's (claim M10).
alter table mandate_draft add column renews text references mandate;
