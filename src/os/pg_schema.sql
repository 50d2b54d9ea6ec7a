-- What the engine keeps on a PostgreSQL server. Run as a whole by whoever finds a part of it missing, and by several at
-- once. To change the tables: raise PG_STORE_FORMAT, and say here how the old form becomes the new one. To change the
-- function: give it a new number; two versions of seom may use one server, so the old one stays for a while.
BEGIN;
SELECT pg_advisory_xact_lock(8317987319222330741);

CREATE SCHEMA IF NOT EXISTS seom;
CREATE TABLE IF NOT EXISTS seom.format (number int NOT NULL);
INSERT INTO seom.format SELECT 1 WHERE NOT EXISTS (SELECT FROM seom.format);

-- Keys are in the order of their bytes. The room left in each page lets a new version stay there and leave the index
-- alone.
CREATE TABLE IF NOT EXISTS seom.document (
    key text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    value bytea -- NULL: deleted
) WITH (fillfactor = 75);
-- Values of more than 2 KB are compressed and stay beside their keys as long as they fit into a page: a page of places
-- is 4 KiB, half of it zeroes, and is written every second. A server without lz4 takes them as they are.
DO $$
BEGIN
    ALTER TABLE seom.document ALTER COLUMN value SET COMPRESSION lz4, ALTER COLUMN value SET STORAGE MAIN;
EXCEPTION WHEN feature_not_supported THEN
    ALTER TABLE seom.document SET (toast_tuple_target = 8160), ALTER COLUMN value SET STORAGE EXTERNAL;
END
$$;

-- A group of commits: document by document in the order of keys, none twice; commits[n] says whose it is. Answers the
-- commits that are refused because a version is another; all others have happened.
--   expected  the version; 0: must not be there; -1: any. held, fresh and free: how many there are of each
--   ops       0 put, 1 delete, 2 check, 3 forget. vanishing: something leaves no row behind
CREATE OR REPLACE FUNCTION seom.commit_1(commits int[], keys text[], expected bigint[], ops int[], news bytea[],
                                         held int, fresh int, free int, vanishing boolean)
RETURNS SETOF int LANGUAGE plpgsql AS $function$
DECLARE
    refused int[] := '{}';
    fitting int[] := '{}';
    placed text[] := '{}';
BEGIN
    IF held > 0 THEN
        -- From here to the end nobody else changes those.
        fitting := ARRAY(
            SELECT w.n
              FROM unnest(keys, expected) WITH ORDINALITY w (key, version, n)
              JOIN seom.document d ON d.key = w.key
             WHERE w.version > 0 AND d.version = w.version
             ORDER BY w.n
               FOR UPDATE OF d);
        IF cardinality(fitting) < held THEN
            refused := ARRAY(
                SELECT DISTINCT w.commit
                  FROM unnest(commits, expected) WITH ORDINALITY w (commit, version, n)
                 WHERE w.version > 0 AND w.n NOT IN (SELECT unnest(fitting)));
        END IF;
    END IF;
    IF fresh > 0 THEN
        -- A key that is not there cannot be locked, so it is put there first; one that is only looked at goes again.
        WITH put AS (
            INSERT INTO seom.document (key, version, value)
            SELECT w.key, 1, w.value
              FROM unnest(commits, keys, expected, news) WITH ORDINALITY w (commit, key, version, value, n)
             WHERE w.version = 0 AND w.commit <> ALL (refused)
             ORDER BY w.n
                ON CONFLICT DO NOTHING
         RETURNING key)
        SELECT coalesce(array_agg(key), '{}') INTO placed FROM put;
        IF cardinality(placed) < fresh THEN
            refused := ARRAY(
                SELECT unnest(refused)
                 UNION
                SELECT w.commit
                  FROM unnest(commits, keys, expected) w (commit, key, version)
                 WHERE w.version = 0 AND w.key NOT IN (SELECT unnest(placed)));
        END IF;
        IF vanishing OR cardinality(refused) > 0 THEN
            DELETE FROM seom.document d
             USING unnest(commits, keys, expected, ops) w (commit, key, version, op)
             WHERE d.key = w.key AND w.version = 0
               AND CASE WHEN w.commit = ANY (refused) THEN w.key = ANY (placed) ELSE w.op > 1 END;
        END IF;
    END IF;
    IF held > 0 THEN
        UPDATE seom.document d SET version = d.version + 1, value = w.value
          FROM unnest(commits, keys, expected, ops, news) w (commit, key, version, op, value)
         WHERE d.key = w.key AND w.version > 0 AND w.op < 2 AND w.commit <> ALL (refused);
    END IF;
    IF free > 0 THEN
        INSERT INTO seom.document AS d (key, version, value)
        SELECT w.key, 1, w.value
          FROM unnest(commits, keys, expected, ops, news) WITH ORDINALITY w (commit, key, version, op, value, n)
         WHERE w.version = -1 AND w.op < 2 AND w.commit <> ALL (refused)
         ORDER BY w.n
            ON CONFLICT (key) DO UPDATE SET version = d.version + 1, value = excluded.value;
    END IF;
    IF vanishing THEN
        DELETE FROM seom.document d
         USING unnest(commits, keys, expected, ops) w (commit, key, version, op)
         WHERE d.key = w.key AND w.version <> 0 AND w.op = 3 AND w.commit <> ALL (refused);
    END IF;
    RETURN QUERY SELECT unnest(refused);
END
$function$;
COMMIT;
