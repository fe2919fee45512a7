-- A lost means of signing in (claim S16). What was typed waits here sealed, known address or not, until a job has looked at it: whoever asks cannot
-- tell the two apart, because the request does not know (claim S11).
create table loss_report (
  id text primary key,
  address_box bytea not null,
  reported_at timestamptz not null
);

-- The link that confirms it, in a mail that the person asked for or in one that tells of a change of their means. The token is in the mail alone.
create table loss_link (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  staff_id text not null references staff,
  asked boolean not null,
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at),
  used_at timestamptz
);
create index loss_link_staff on loss_link (staff_id, created_at) where asked;

-- How many reports came in an hour, by whom they count against. Addresses are keyed hashes.
create table loss_quota (
  hour timestamptz not null,
  scope text not null check (scope in ('all', 'address', 'origin')),
  holder text not null,
  reported int not null check (reported >= 0),
  primary key (hour, scope, holder)
);

grant select, insert, delete on loss_report, loss_link, loss_quota to relais_app;
grant update (reported_at) on loss_report to relais_app; -- a row lock asks for it
grant update (used_at) on loss_link to relais_app;
grant update (reported) on loss_quota to relais_app;
