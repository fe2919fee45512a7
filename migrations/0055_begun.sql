-- Instances agree on the time within 45 seconds (claim T2): one whose clock is behind must not find that a mandate, signed a moment ago at another, has not
-- begun. Nothing else begins: no mandate is signed for later. What ends, ends by each clock.
create function begun(starts_at timestamptz, at timestamptz) returns boolean language sql immutable as $$ select starts_at <= at + interval '45 seconds' $$;

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
    and m.ended_at is null and begun(m.starts_at, at) and m.ends_at > at and not s.administration_id = any (m.barred)
    and g.ended_at is null
    and o.status = 'active' and d.theme = any (o.themes)
    and a.status = 'active' and b.status = 'active' and d.theme = any (b.themes)
    and s.status = 'approved' and s.delegation_supported and d.theme = any (s.themes)
$$;

create or replace function usable_grant(at timestamptz, aidant text, organisation text)
returns table (mandate_id text, theme text, usager_id text, ends_at timestamptz) language sql stable as $$
  select m.id, g.theme, m.usager_id, m.ends_at
  from mandate m
  join mandate_grant g on g.mandate_id = m.id
  join organisation o on o.id = m.organisation_id
  join membership b on b.organisation_id = o.id
  join staff a on a.id = b.aidant_id
  where o.id = organisation and a.id = aidant
    and m.ended_at is null and begun(m.starts_at, at) and m.ends_at > at
    and g.ended_at is null
    and o.status = 'active' and g.theme = any (o.themes)
    and a.status = 'active' and b.status = 'active' and g.theme = any (b.themes)
$$;
