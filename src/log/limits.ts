/** The log's limits, each with its unit; docs/LIMITS.md has the ones an owner can set. */
export interface LogLimits {
  /** Free bytes on disk below which appends are refused. */
  readonly diskFloor: number;
  /** Bytes of newest records kept in memory for readers who keep up. */
  readonly ringBytes: number;
  /** Bytes of newest records of topics in memory, for readers who keep up. */
  readonly memoryRingBytes: number;
  /** Bytes of the views of topics in memory, all together; the oldest items go first. */
  readonly memoryViewBytes: number;
  /** Items in the view of a topic that says nothing itself. */
  readonly maxItems: number;
  /** Bytes of newest records whose commit rows are kept; nothing in it is deleted. */
  readonly windowBytes: number;
  /** Bytes of appends waiting for the disk; beyond it whoever can make its own source wait should. */
  readonly roomyBytes: number;
  /** Bytes of appends waiting for the disk; beyond it they are refused `busy`. */
  readonly pendingBytes: number;
  /** Bytes a reader that is not durable may keep from being trimmed. */
  readonly lagBytes: number;
  /** Bytes appended since all had last been trimmed, up to which trimming waits for a moment without appends. */
  readonly trimLagBytes: number;
  /** What the files may have beyond twice the live bytes before they are compacted, at rest. */
  readonly garbageBytes: number;
  /** The same while much is written: to compact then wears the disk, and the database does most of it by itself. */
  readonly busyGarbageBytes: number;
}

const MIB = 1 << 20;

export const LOG_LIMITS: LogLimits = {
  diskFloor: 64 * MIB, ringBytes: 4 * MIB, memoryRingBytes: 4 * MIB, memoryViewBytes: 16 * MIB, maxItems: 1000, windowBytes: 24 * MIB,
  roomyBytes: 16 * MIB, pendingBytes: 64 * MIB, lagBytes: 64 * MIB, trimLagBytes: 8 * MIB, garbageBytes: 16 * MIB, busyGarbageBytes: 64 * MIB,
};

/** Free bytes on disk, or half of `diskFloor` if that is less, below which not even what makes room is taken: reopening and compacting need them. */
export const ROOM_FLOOR: number = 32 * MIB;
/** Of a record that makes room. */
export const ROOM_RECORD_BYTES: number = 32 * 1024;
/** What an item goes by. */
export const MAX_ID_BYTES = 1024;
/**
 * The database's memtable. Of two, and a batch over each, its WAL has at most: that has to be less than `windowBytes`. The larger, the less often
 * tables are merged into those beneath them, which is most of what is written; and the longer a start after a SIGKILL.
 */
export const MEMTABLE_BYTES: number = 10 * MIB;
/** One table file, the least that LevelDB makes: the smaller, the more often one with nothing to delete in it goes down a level as it is (measured: a tenth less is written). */
export const TABLE_BYTES: number = MIB;
export const WAL_BYTES: number = 2 * (MEMTABLE_BYTES + MIB);
/** One batch. */
export const BATCH_RECORDS = 1000;
export const BATCH_BYTES: number = 512 * 1024;
/** One subscription: topics held back, and records put aside. */
export const MAX_HELD = 1000;
export const MAX_ASIDES = 1000;
/** And records given back that are not to be handed out yet; then nothing new is. */
export const MAX_DELAYED = 1000;
/** One page read. */
export const PAGE_RECORDS = 256;
export const PAGE_BYTES: number = 256 * 1024;
