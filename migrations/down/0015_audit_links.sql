-- The way back from 0015_audit_links.sql. Rows keep their seals: going forward again makes the same links of them.

DROP TABLE person_links;
DROP TABLE audit_links;
