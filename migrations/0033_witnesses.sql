-- What witnesses said of a checkpoint: one signature line each time (C2SP tlog-cosignature). `witness` is name+id of its key, `at` its own time.
create table journal.cosignature (
  size bigint not null,
  witness text not null,
  at timestamptz not null,
  line text not null,
  primary key (size, witness, at)
);
create index cosignature_witness on journal.cosignature (witness, size desc);

create trigger append_only before update or delete on journal.cosignature for each row execute function journal.refuse_change();
create trigger append_only_truncate before truncate on journal.cosignature for each statement execute function journal.refuse_change();
alter table journal.cosignature enable always trigger append_only;
alter table journal.cosignature enable always trigger append_only_truncate;

grant select on journal.cosignature to relais_app;
grant select, insert on journal.cosignature to relais_sequencer;
