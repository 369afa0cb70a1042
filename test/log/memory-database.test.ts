import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { databaseSuite } from './database-suite.ts';

databaseSuite('in memory', async () => ({ database: new MemoryDatabase(), remove: async () => {} }));
