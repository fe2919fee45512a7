-- A link that takes a draft to the person's own telephone, where she signs in with FranceConnect. Of its secret only the hash is here.
create table phone_link (
  id text primary key,
  hash bytea not null unique check (octet_length(hash) = 32),
  draft_id text not null references mandate_draft,
  state text not null check (state in ('open', 'yes', 'no', 'replaced')),
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at and expires_at <= created_at + interval '1 hour'),
  -- Somebody pressed the button that leads to FranceConnect; what came of it last, if it was no consent.
  started_at timestamptz,
  refusal text check (refusal ~ '^[a-z_]{1,40}$'),
  ended_at timestamptz,
  check ((state = 'open') = (ended_at is null))
);
create unique index phone_link_open on phone_link (draft_id) where state = 'open';
create index phone_link_draft on phone_link (draft_id, created_at desc);

-- An end is for ever, and a yes is the yes of a draft that somebody consented to in this very transaction or never.
create function refuse_second_use() returns trigger language plpgsql as $$
begin
  if old.state <> 'open' then
    raise exception 'the link has been used' using errcode = 'check_violation';
  end if;
  if new.state = 'yes' and not exists (
    select 1 from mandate_draft d where d.id = new.draft_id and d.consent_method = 'franceconnect' and d.consented_at = new.ended_at) then
    raise exception 'no consent for this link' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger used_once before update on phone_link for each row execute function refuse_second_use();

grant select, insert on phone_link to relais_app;
grant update (state, started_at, refusal, ended_at) on phone_link to relais_app;
