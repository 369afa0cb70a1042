// The dialog of `lanpost box`: its home accounts, and the running box as its owner sees it: how it stands, whom it trusts, who reads durably.
/* global RED, $, document, lanpost, window */
'use strict';

// The browser may have run this file before or after lanpost-editor.js.
window.lanpost = window.lanpost || {};
window.lanpost.boxDialog = {
  slots: 8,
  homeFields: ['jid', 'topics', 'host', 'ca', 'pin'],

  prepare(node) {
    const words = (key, options) => node._('lanpost-box.' + key, options);
    const embedded = RED.settings.lanpostBoxEmbedded === true;
    const field = lanpost.choice(node, 'mode', ['auto', 'own', 'attach']);
    lanpost.flag(node, 'link');
    const show = () => {
      const mode = field.val();
      // What the environment says is known when the flow starts.
      const own = mode !== 'attach' && (mode !== 'auto' || !embedded);
      $('.lanpost-box-own').toggle(own);
      $('.lanpost-box-dir').toggle(own || mode === 'attach');
      $('.lanpost-box-embedded').toggle(mode === 'auto' && embedded);
    };
    field.on('change', show);
    show();
    this.homes(node, words);
    this.running(node, words, embedded);
  },

  save(node) {
    node.homes = $('#lanpost-box-homes').editableList('items').toArray().map((row) => {
      const value = (name) => $(row).find('[data-field="' + name + '"]').val().trim();
      return Object.assign({ slot: $(row).data('slot') }, ...this.homeFields.map((name) => ({ [name]: value(name) })));
    }).filter((home) => home.jid !== '');
    // A password that belongs to nobody any more is forgotten.
    const used = new Set(node.homes.map((home) => home.slot));
    for (let slot = 0; slot < this.slots; slot += 1) if (!used.has(slot)) $('#node-config-input-password' + slot).val('');
  },

  homes(node, words) {
    const list = $('#lanpost-box-homes');
    const used = new Set();
    // Two beside each other where both have room for what they say.
    const beside = { flex: '1 1 380px', width: 'auto', minWidth: 0, margin: 0 };
    const text = (name, value) => $('<input type="text">').css(beside).attr({ 'data-field': name, placeholder: words('home.' + name), title: words('home.' + name), 'aria-label': words('home.' + name) }).val(value || '');
    lanpost.rows(list, {
      removable: true,
      addButton: words('home.add'),
      addItem: (row, _index, home) => {
        let slot = home.slot;
        for (let free = 0; slot === undefined && free < this.slots; free += 1) if (!used.has(free)) slot = free;
        if (slot === undefined) {
          row.text(words('home.full', { most: this.slots }));
          row.append(this.homeFields.map((name) => $('<input type="hidden">').attr('data-field', name)));
          return;
        }
        used.add(slot);
        row.css({ display: 'flex', flexWrap: 'wrap', gap: '4px' }).data('slot', slot);
        const password = $('#node-config-input-password' + slot).css(beside).attr({ placeholder: words('home.password'), title: words('home.password'), 'aria-label': words('home.password') });
        row.append(text('jid', home.jid), password, ...this.homeFields.slice(1).map((name) => text(name, home[name])));
      },
      removeItem: (home) => {
        void home;
        // The row is gone from the page by now; whose slots are left says which passwords are to be kept.
        const left = new Set(list.editableList('items').toArray().map((row) => $(row).data('slot')));
        for (const slot of used) {
          if (left.has(slot)) continue;
          used.delete(slot);
          $('<input type="password">').attr('id', 'node-config-input-password' + slot).appendTo('#lanpost-box-passwords');
        }
        list.trigger('input');
      },
    });
    for (const home of node.homes || []) list.editableList('addItem', Object.assign({}, home));
  },

  /** Cells of text, which comes from the network and is no markup, or of elements. */
  row(cells) { return $('<tr></tr>').append(cells.map((cell) => $('<td style="padding:2px 8px 2px 0; vertical-align:top"></td>').append(typeof cell === 'string' ? document.createTextNode(cell) : cell))); },

  table(rows, none) { return rows.length === 0 ? $('<div></div>').text(none) : $('<table style="width:100%"></table>').append(rows); },

  mode() { return $('#node-config-input-mode').val(); },

  stateOf({ state, reason }) { return lanpost.said.text(state) + (reason ? ' (' + lanpost.said.text(reason) + ')' : ''); },

  /** An account as the box calls it. */
  called(jid) { return (jid || '').trim().toLowerCase(); },

  say(where, text) { $(where).text(text); },

  /** What a box that runs says of itself; until one does, only the test says why not. */
  running(node, words, embedded) {
    const box = () => (embedded && this.mode() === 'auto' ? 'embedded' : node.id);
    const button = (key, act) => $('<button type="button" class="red-ui-button red-ui-button-small"></button>').text(words(key)).on('click', act);

    const trust = async () => {
      const { entries, classes, accounts } = await lanpost.ask(box(), 'trust');
      const said = ({ grants, denials }) => [...grants.map((one) => [one, '']), ...denials.map((one) => [one, words('not') + ' '])].map(([{ right, filter }, not]) => not + words('rights.' + right) + (filter ? ' ' + filter : '')).join(', ');
      const lines = [...entries.map((one) => ({ who: one.name || one.fingerprint.slice(0, 16), key: one.fingerprint, level: words('levels.' + one.level), one })),
        ...[...classes, ...accounts].filter((one) => one.grants.length + one.denials.length > 0).map((one) => ({ who: one.name, key: one.name, level: '', one }))];
      $('#lanpost-box-trust').empty().append(this.table(lines.map(({ who, key, level, one }) => this.row([who, level, said(one) || '–', one.level === 'seen' && one.denials.length === 0 ? '' : button('revoke', () => void change('DELETE', 'trust/' + encodeURIComponent(key)))])), words('nobody')));
    };
    /** The reader whose drop is to be confirmed. */
    let dropping = '';
    const drop = (name) => {
      dropping = name;
      void refresh();
    };
    const reader = ({ name, filter, pending: records, bytes, open, abandonedSince }) => {
      const isAsked = name === dropping && !open;
      const row = this.row([
        name, filter, words('pins', { records, bytes }),
        open ? words('open') : abandonedSince ? words('abandoned', { since: new Date(abandonedSince).toLocaleString() }) : '',
        open || isAsked ? '' : button('drop', () => drop(name)),
      ]);
      if (!isAsked) return [row];
      const dropped = () => {
        dropping = '';
        void change('DELETE', 'readers/' + encodeURIComponent(name));
      };
      return [row, this.askedRow(words(records === 0 ? 'dropping.nothing' : 'dropping.lost', { records, bytes }), button('dropping.yes', dropped), button('dropping.no', () => drop('')))];
    };
    const readers = async () => {
      const { readers: all } = await lanpost.ask(box(), 'readers');
      $('#lanpost-box-readers').empty().append(this.table(all.flatMap(reader), words('none')));
    };
    const left = this.leftHomes(node, words, button, box);
    const refresh = async () => {
      let isThere = true;
      try {
        await Promise.all([trust(), readers(), left()]);
      } catch {
        isThere = false; // why, the test says
      }
      $('.lanpost-box-running').toggle(isThere);
    };
    const change = async (method, route, body) => {
      try {
        await lanpost.ask(box(), route, body, method);
        this.say('#lanpost-box-trusted', '');
      } catch (error) {
        this.say('#lanpost-box-trusted', error.message);
      }
      await refresh();
    };

    this.pairing(box, words, button, change);
    $('#lanpost-box-allow').on('click', () => void change('POST', 'trust', { what: 'allow', peer: $('#lanpost-box-peer').val(), right: $('#lanpost-box-right').val(), filter: $('#lanpost-box-filter').val() }));
    lanpost.pick('#lanpost-box-peer', { kind: 'peers', asked: box });
    const tested = ({ name, fingerprint, version, dir, link, peers, log, homes }) => [
      words('tested.box', { name, version, dir }), words('tested.key', { fingerprint }),
      words(link.state === 'up' ? 'tested.link' : 'tested.noLink', { state: this.stateOf(link), interfaces: link.interfaces.join(', '), peers }),
      words('tested.log', { state: this.stateOf(log), topics: log.topics, free: Math.round(log.freeBytes / 1048576) }),
      ...homes.map((home) => words('tested.home', { jid: home.jid, state: this.stateOf(home), queued: home.left ?? 0 })),
    ].join('\n');
    $('#lanpost-box-test').on('click', () => {
      this.say('#lanpost-box-tested', '…');
      const dir = $('#node-config-input-dir').val();
      // What was typed and is not deployed yet can be tried only where the box is another program's.
      const fresh = this.mode() === 'attach' && (dir !== node.dir || node.mode !== 'attach' || node.changed);
      const asked = fresh ? lanpost.post('lanpost/test', { dir }) : lanpost.ask(box(), 'status');
      const show = (text) => {
        this.say('#lanpost-box-tested', text);
        // Of a box that has much to show, the end of its dialog is out of sight.
        $('#lanpost-box-tested')[0].scrollIntoView({ block: 'nearest' });
      };
      asked.then((status) => show(tested(status)), (error) => show(error.message));
    });
    $('.lanpost-box-running').hide();
    void refresh();
  },

  /** Accounts that the box has and the list has not: the box goes on with them until they are removed here. Gives how to ask for them anew. */
  leftHomes(node, words, button, box) {
    const list = $('#lanpost-box-homes');
    const saved = new Set((node.homes || []).map((home) => this.called(home.jid)));
    let homes = [];
    /** Whose removal is to be confirmed. */
    let asked = '';
    const say = (text) => this.say('#lanpost-box-left-said', text);
    const draw = () => {
      const listed = new Set(list.find('[data-field="jid"]').toArray().map((field) => this.called($(field).val())));
      // One that another node has, or a row with something to be filled in, is nobody's to remove here; a row just taken away is to be deployed first.
      const left = homes.filter(({ jid, deployed }) => !listed.has(jid) && (!deployed || saved.has(jid)));
      $('#lanpost-box-left').toggle(left.length > 0);
      $('#lanpost-box-left-homes').empty().append(this.table(left.flatMap((home) => this.leftHome(home, words, button, home.jid === asked, { ask, remove })), ''));
    };
    const ask = (jid) => {
      asked = jid;
      say('');
      draw();
    };
    const read = async () => {
      ({ homes } = await lanpost.ask(box(), 'homes'));
      draw();
    };
    const remove = async (jid) => {
      ask('');
      try {
        await lanpost.ask(box(), 'homes/' + encodeURIComponent(jid), undefined, 'DELETE');
        await read();
      } catch (error) {
        say(error.message);
      }
    };
    list.on('input', draw);
    draw();
    return read;
  },

  /** Its row; and beneath it what is lost with it, when that is asked. */
  leftHome(home, words, button, isAsked, { ask, remove }) {
    const { jid, left: queued, leftBytes: bytes, oldest, deployed, grouped } = home;
    const row = this.row([jid, this.stateOf(home), queued === 0 ? words('left.nothing') : words('left.waits', { queued, bytes, oldest }), deployed ? words('left.deploy') : isAsked ? '' : button('left.remove', () => ask(jid))]);
    if (!isAsked) return [row];
    const lost = words(queued === 0 ? 'left.lost.nothing' : grouped ? 'left.lost.grouped' : 'left.lost.all', { queued, bytes, oldest });
    return [row, this.askedRow(lost, button('left.yes', () => void remove(jid)), button('left.no', () => ask('')))];
  },

  /** Beneath a row: what is lost, and whether that is meant. */
  askedRow(lost, yes, no) { return $('<tr></tr>').append($('<td colspan="5" style="padding:2px 8px 6px 0"></td>').append($('<div class="lanpost-box-lost" style="margin-bottom:4px"></div>').text(lost), yes, ' ', no)); },

  /** Pairing with words: asked about each second while there is one, and the dialog is open. */
  pairing(box, words, button, change) {
    const where = $('#lanpost-box-pairings');
    // As JSON; of none, a pair of brackets.
    let shown = '';
    let timer;
    const act = async (method, route, body) => {
      clearTimeout(timer);
      try {
        show((await lanpost.ask(box(), route, body, method)).pairings);
        this.say('#lanpost-box-trusted', '');
      } catch (error) {
        // A box that does not run is told of by the test.
        if (method !== 'GET') this.say('#lanpost-box-trusted', error.message);
        if (shown.length > 2) look();
      }
    };
    const look = () => {
      clearTimeout(timer);
      timer = setTimeout(() => { if (document.body.contains(where[0])) void act('GET', 'pairings'); }, 1000);
    };
    let paired = 0;
    const show = (pairings) => {
      if (pairings.length > 0) look();
      const now = pairings.filter(({ state }) => state === 'paired').length;
      // What the table of trust says is another then.
      if (now > paired) void change('GET', 'trust');
      paired = now;
      // What is drawn anew loses the focus.
      if (shown === JSON.stringify(pairings)) return;
      shown = JSON.stringify(pairings);
      where.empty().append(pairings.map((one) => this.pairingLine(one, words, button, act)));
    };
    $('#lanpost-box-pair').on('click', () => void act('POST', 'pairings', { peer: $('#lanpost-box-peer').val() }));
    void act('GET', 'pairings');
  },

  pairingLine({ id, peer, state, words: theirs = [], cause, reason = '', detail = '' }, words, button, act) {
    const at = 'pairings/' + encodeURIComponent(id);
    const text = state === 'failed' ? (cause ? words('pairing.failed.' + cause) + (cause === 'failed' && detail ? ' ' + detail : '') : reason) : words('pairing.' + state, { peer });
    const line = $('<div style="margin-top:6px"></div>').append($('<b></b>').text(peer), document.createTextNode(': ' + text));
    if (state === 'words') {
      line.append($('<div class="lanpost-box-words" style="font-size:1.3em; margin:4px 0"></div>').text(theirs.join('  ')),
        button('pairing.same', () => void act('POST', at, { words: theirs, same: true })), ' ', button('pairing.differ', () => void act('POST', at, { words: theirs, same: false })));
      return line;
    }
    return line.append(' ', button(state === 'paired' || state === 'failed' ? 'pairing.close' : 'pairing.cancel', () => void act('DELETE', at)));
  },
};
