-- Times that an authority outside signed over checkpoints (RFC 3161): the bytes as they came. `at` is what the token says.
create table journal.timestamp (
  size bigint primary key check (size > 0),
  token bytea not null check (octet_length(token) between 1 and 65536),
  at timestamptz not null
);
create trigger append_only before update or delete on journal.timestamp for each row execute function journal.refuse_change();
create trigger append_only_truncate before truncate on journal.timestamp for each statement execute function journal.refuse_change();
alter table journal.timestamp enable always trigger append_only;
alter table journal.timestamp enable always trigger append_only_truncate;
grant select on journal.timestamp to relais_app;
grant select, insert on journal.timestamp to relais_sequencer;
