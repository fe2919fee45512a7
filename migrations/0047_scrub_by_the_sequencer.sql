-- What the scrubber found is written by the role that sequences: as the application, nobody says that the night's reading was done.
revoke insert, update on journal_scrub from relais_app;
grant select, insert, update on journal_scrub to relais_sequencer;
