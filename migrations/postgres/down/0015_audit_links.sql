-- The way back from 0015_audit_links.sql. Rows keep their seals: going forward again makes the same links of them.

DROP POLICY jobs_read ON person_events;
DROP POLICY jobs_read ON audit_events;
DROP TABLE person_links;
DROP TABLE audit_links;
