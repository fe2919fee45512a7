-- Mandates that were signed on paper before Relais, brought in by two opérateurs (docs/import.md).
create table mandate_import (
  id text primary key,
  approval_id text not null unique references approval,
  organisation_id text not null references organisation,
  -- SHA-256 of the file, as both opérateurs gave it.
  file_hash bytea not null check (octet_length(file_hash) = 32),
  at timestamptz not null
);

create table imported_mandate (
  draft_id text primary key references mandate_draft,
  import_id text not null references mandate_import,
  line int not null check (line > 1),
  organisation_id text not null references organisation,
  -- What the line says, however it is written: the same one enters once.
  line_hash bytea not null check (octet_length(line_hash) = 32),
  aidant_id text not null references staff,
  witness_id text not null references staff,
  signed_on date not null,
  evidence bytea not null check (octet_length(evidence) = 32),
  unique (organisation_id, line_hash),
  unique (import_id, line),
  check (aidant_id <> witness_id)
);

-- The one other way for a mandate on paper: a line of an import that a second opérateur approved, with its aidant and another as witness.
create function is_imported(m mandate) returns boolean language sql stable as $$
  select exists (
    select 1 from imported_mandate l join mandate_import i on i.id = l.import_id join approval a on a.id = i.approval_id
    where l.draft_id = m.draft_id and l.evidence = m.consent_evidence and l.aidant_id = m.accepted_by and l.organisation_id = m.organisation_id
      and i.organisation_id = m.organisation_id and a.kind = 'mandate-import' and a.approved_by is not null
      and (m.starts_at at time zone 'Europe/Paris')::date = l.signed_on)
$$;

create or replace function refuse_unwitnessed() returns trigger language plpgsql as $$
begin
  if new.consent_method <> 'paper' then
    if new.acceptance_means = 'import' then
      raise exception 'only a mandate on paper can be imported' using errcode = 'check_violation';
    end if;
    return new;
  end if;
  if new.consent_acr = 'eidas1' and new.acceptance_means = 'import' and is_imported(new) then
    return new;
  end if;
  if new.consent_acr <> 'eidas1' or new.acceptance_means = 'import' or not exists (
    select 1 from paper_consent p where p.draft_id = new.draft_id and p.usager_id = new.usager_id and p.ended_at is null
      and p.evidence = new.consent_evidence and p.text_hash = new.text_hash and p.witness_id <> new.accepted_by
      and is_aidant_of_draft(p.witness_id, p.draft_id)) then
    raise exception 'nobody has seen this mandate signed' using errcode = 'check_violation';
  end if;
  return new;
end $$;

grant select, insert on mandate_import, imported_mandate to relais_app;
