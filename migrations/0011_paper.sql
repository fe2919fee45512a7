-- A mandate that is signed by hand: printed for one person, seen by a second aidant of the same organisation (product.md, "Rules of a mandate").
create table paper_consent (
  id text primary key,
  -- What is printed and said: it finds the paper again.
  reference text not null unique check (reference ~ '^P-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$'),
  draft_id text not null references mandate_draft,
  usager_id text not null references usager,
  asked_by text not null references staff,
  text_hash bytea not null check (octet_length(text_hash) = 32),
  asked_at timestamptz not null,
  -- The text names its first day: the paper ends with it. A day of Paris has 25 hours at most.
  expires_at timestamptz not null check (expires_at > asked_at and expires_at <= asked_at + interval '25 hours'),
  ended_at timestamptz,
  witness_id text references staff,
  witnessed_at timestamptz,
  witness_means text,
  evidence bytea check (octet_length(evidence) = 32),
  -- Whoever made the paper is never the one who saw it signed.
  check (witness_id <> asked_by),
  check ((witness_id is null) = (witnessed_at is null) and (witness_id is null) = (witness_means is null) and (witness_id is null) = (evidence is null)),
  check (ended_at is null or witness_id is null)
);
create unique index paper_consent_open on paper_consent (draft_id) where ended_at is null;
create index paper_consent_waiting on paper_consent (expires_at) where ended_at is null and witness_id is null;

-- Is this person an aidant of the organisation of this draft, now? Held until the transaction ends.
create function is_aidant_of_draft(staff_id text, of_draft text) returns boolean language plpgsql as $$
begin
  perform 1 from mandate_draft d join membership b on b.organisation_id = d.organisation_id join staff a on a.id = b.aidant_id
    where d.id = of_draft and a.id = staff_id and a.kind = 'aidant' and a.status = 'active' and b.status = 'active' for share of a, b;
  return found;
end $$;

create function refuse_paper() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.witness_id is not null or not exists (select 1 from mandate_draft d where d.id = new.draft_id and d.aidant_id = new.asked_by) then
      raise exception 'a paper is asked by the aidant of its draft, before anybody has seen it signed' using errcode = 'check_violation';
    end if;
  elsif old.witness_id is not null or old.ended_at is not null then
    raise exception 'this paper was seen signed, or has ended: it cannot be changed' using errcode = 'check_violation';
  elsif new.witness_id is not null and not is_aidant_of_draft(new.witness_id, new.draft_id) then
    raise exception 'the witness is no active aidant of the organisation' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger seen_once before insert or update on paper_consent for each row execute function refuse_paper();

-- No mandate on paper without the second aidant who saw this very text signed, who is not the one that accepts it, and who is still an aidant of the
-- organisation; and never a stronger level than eIDAS low.
create function refuse_unwitnessed() returns trigger language plpgsql as $$
begin
  if new.consent_method <> 'paper' then
    return new;
  end if;
  if new.consent_acr <> 'eidas1' or not exists (
    select 1 from paper_consent p where p.draft_id = new.draft_id and p.usager_id = new.usager_id and p.ended_at is null
      and p.evidence = new.consent_evidence and p.text_hash = new.text_hash and p.witness_id <> new.accepted_by
      and is_aidant_of_draft(p.witness_id, p.draft_id)) then
    raise exception 'nobody has seen this mandate signed' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger witness_first before insert on mandate for each row execute function refuse_unwitnessed();

grant select, insert on paper_consent to relais_app;
grant update (ended_at, witness_id, witnessed_at, witness_means, evidence) on paper_consent to relais_app;

-- A sheet with its names: what every page and use case reads of it.
create view paper_read as
  select p.id, p.reference, p.draft_id, d.organisation_id, d.closed_at, p.asked_by, a.given_name || ' ' || a.family_name asked_by_name, p.usager_id, u.given_name,
    u.family_name, u.preferred_username, u.gender, p.text_hash, p.asked_at, p.expires_at, p.ended_at, p.witness_id, w.given_name || ' ' || w.family_name witness_name,
    p.witnessed_at
  from paper_consent p join mandate_draft d on d.id = p.draft_id join staff a on a.id = p.asked_by join usager u on u.id = p.usager_id
    left join staff w on w.id = p.witness_id;
grant select on paper_read to relais_app;
