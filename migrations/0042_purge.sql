-- Retention writes what it removes in the transaction that removes it, and sweeps tables whose rows have served.
grant insert, select (event_id) on journal.queue to relais_eraser;
grant delete on remote_consent to relais_eraser;
