-- Administrations that have stopped a mandate at their own services (claim M21): it goes on elsewhere. On the mandate's own row, so that an opening that
-- waits for this row reads it as it has become.
alter table mandate add column barred text[] not null default '{}';
grant update (barred) on mandate to relais_app;

create function refuse_unbarring() returns trigger language plpgsql as $$
begin
  if not new.barred @> old.barred then
    raise exception 'a mandate that an administration has stopped stays stopped there' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger no_unbarring before update of barred on mandate for each row execute function refuse_unbarring();

create or replace function live_session(at timestamptz) returns setof delegated_session language sql stable as $$
  select d.*
  from delegated_session d
  join mandate m on m.id = d.mandate_id
  join mandate_grant g on g.mandate_id = d.mandate_id and g.theme = d.theme
  join organisation o on o.id = d.organisation_id
  join staff a on a.id = d.aidant_id
  join membership b on b.aidant_id = d.aidant_id and b.organisation_id = d.organisation_id
  join service s on s.id = d.service_id
  where d.ended_at is null and d.expires_at > at
    and m.ended_at is null and m.starts_at <= at and m.ends_at > at and not s.administration_id = any (m.barred)
    and g.ended_at is null
    and o.status = 'active' and d.theme = any (o.themes)
    and a.status = 'active' and b.status = 'active' and d.theme = any (b.themes)
    and s.status = 'approved' and s.delegation_supported and d.theme = any (s.themes)
$$;
