// Run before `npm start` and `npm test`: installs and builds what is missing, and nothing else.
// Plain old JavaScript without dependencies: it must parse on any Node, to say which one is needed.
import fs from 'fs';
import path from 'path';
import crypto from 'crypto';
import childProcess from 'child_process';
import url from 'url';

const NEEDED = [20, 19];
const ROOT = path.dirname(url.fileURLToPath(import.meta.url));
const MODULES = path.join(ROOT, 'node_modules');
const DIST = path.join(ROOT, 'dist');
const INSTALLED = path.join(MODULES, '.lanpost-setup');
const BUILT = path.join(DIST, '.lanpost-build');
const LOCK = path.join(DIST, '.lanpost-lock');

function fail(line) {
  console.error(line);
  process.exit(1);
}

function read(file) {
  try {
    return fs.readFileSync(path.resolve(ROOT, file), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function hash(text) {
  return crypto.createHash('sha256').update(text).digest('hex');
}

function checkNode() {
  const version = process.versions.node.split('.').map(Number);
  if (version[0] < NEEDED[0] || (version[0] === NEEDED[0] && version[1] < NEEDED[1])) {
    fail('lanpost needs Node.js ' + NEEDED.join('.') + ' or newer (22 or 24 recommended); this is ' + process.version + '.');
  }
}

/** What the lockfile asks for, as one word. */
function wantedModules() {
  return hash(read('package-lock.json') || '');
}

/** Whether somebody else's `npm install` has put there what the lockfile asks for. */
function modulesFit() {
  const hidden = read('node_modules/.package-lock.json');
  const lock = read('package-lock.json');
  if (!hidden || !lock) return false;
  const there = JSON.parse(hidden).packages || {};
  const wanted = JSON.parse(lock).packages || {};
  return Object.keys(wanted).every((name) => {
    if (name === '' || wanted[name].optional || (wanted[name].peer && !there[name])) return true;
    return there[name] !== undefined && there[name].version === wanted[name].version;
  });
}

/** Everything the build is made from: names, sizes and times, as one word. */
function wantedBuild() {
  const seen = [];
  const walk = (name) => {
    const file = path.join(ROOT, name);
    let stat;
    try {
      stat = fs.statSync(file);
    } catch (error) {
      if (error.code === 'ENOENT') return; // not every folder is in every checkout
      throw error;
    }
    if (stat.isDirectory()) fs.readdirSync(file).toSorted().forEach((entry) => walk(name + '/' + entry));
    else seen.push(name + ' ' + stat.size + ' ' + stat.mtimeMs);
  };
  ['package.json', 'tsconfig.json', 'src', 'nodes'].forEach(walk);
  return hash(seen.join('\n'));
}

/** Runs a command silently; its last lines are shown only if it fails. */
function run(what, command, args, options) {
  const result = childProcess.spawnSync(command, args, Object.assign({ cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 }, options));
  if (result.status === 0) return;
  const said = ((result.stdout || '') + (result.stderr || '')).trim().split('\n').slice(-25).join('\n');
  fail(said + '\nlanpost: ' + what + ' failed' + (result.error ? ': ' + result.error.message : '') + '.');
}

function install() {
  console.error('lanpost: installing packages (once, about half a minute)');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // The npm that runs us, when one does: another may be first on the path, or none.
  const npm = process.env.npm_execpath;
  if (npm && /\.c?js$/.test(npm)) run('npm ci', process.execPath, [npm].concat(args));
  else run('npm ci', 'npm', args, { shell: process.platform === 'win32' });
}

function build() {
  console.error('lanpost: building');
  run('the build', process.execPath, [path.join(MODULES, 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
  ['nodes', 'src/web/page'].forEach((folder) => {
    fs.cpSync(path.join(ROOT, folder), path.join(DIST, folder), { recursive: true, filter: (file) => !/\.ts$|tsconfig\.json$/.test(file) });
  });
}

/** Whether that process is still there. */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function written(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat ? stat.mtimeMs : Date.now();
}

/** One process at a time installs or builds; the others wait for it. */
function locked(work) {
  fs.mkdirSync(DIST, { recursive: true });
  for (;;) {
    try {
      fs.writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(read(LOCK));
    // A lock without a number is being written this instant, or was left so by a full disk.
    const stale = holder ? !alive(holder) : Date.now() - written(LOCK) > 5000;
    if (stale) fs.rmSync(LOCK, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  process.on('exit', () => fs.rmSync(LOCK, { force: true }));
  work();
}

checkNode();
const upToDate = () => read(INSTALLED) === wantedModules() && read(BUILT) === wantedBuild();
if (!upToDate()) {
  locked(() => {
    if (read(INSTALLED) !== wantedModules()) {
      if (!modulesFit()) install();
      fs.writeFileSync(INSTALLED, wantedModules());
    }
    const wanted = wantedBuild();
    if (read(BUILT) !== wanted) {
      build();
      fs.writeFileSync(BUILT, wanted);
    }
  });
}
