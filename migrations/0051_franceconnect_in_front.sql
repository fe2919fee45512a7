-- FranceConnect itself may be a client of ours (federations.md §2.3).
alter table service drop constraint service_profile_check;
alter table service add constraint service_profile_check check (profile in ('standard', 'fapi2', 'franceconnect')) not valid;
alter table service validate constraint service_profile_check;
