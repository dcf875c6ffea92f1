/**
 * The tables in the file, beside those that a program may have there itself.
 *
 * | table | |
 * |---|---|
 * | `quayside_queues` | the number of each queue, by its name in UTF-8 |
 * | `quayside_rows` | all rows of all queues: the number of the queue in 4 bytes and the key, in the order of bytes; their values, or where those lie |
 * | `quayside_large` | values that would fill a page of the table above, where a lookup reads whole rows on its way |
 * | `quayside_done` | messages whose effects were committed: see `once.ts` |
 */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS quayside_queues (number INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS quayside_done (number INTEGER PRIMARY KEY, message TEXT NOT NULL UNIQUE, until REAL NOT NULL);
  CREATE TABLE IF NOT EXISTS quayside_large (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS quayside_rows (key BLOB PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS quayside_deleted AFTER DELETE ON quayside_rows WHEN typeof(OLD.value) = 'integer'
    BEGIN DELETE FROM quayside_large WHERE id = OLD.value; END;
  CREATE TRIGGER IF NOT EXISTS quayside_updated AFTER UPDATE ON quayside_rows WHEN typeof(OLD.value) = 'integer'
    BEGIN DELETE FROM quayside_large WHERE id = OLD.value; END;`
