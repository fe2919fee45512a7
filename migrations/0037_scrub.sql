-- What the scrubber last found, for `relais doctor`. One row each: the last ten minutes, the whole journal. It proves nothing: alarms are in the log.
create table journal_scrub (
  range text primary key check (range in ('recent', 'whole')),
  at timestamptz not null,
  size bigint not null,
  fault text,
  fault_index bigint,
  check ((fault is null) = (fault_index is null))
);
grant select, insert, update on journal_scrub to relais_app;
