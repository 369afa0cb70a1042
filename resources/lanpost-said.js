// What the box and its nodes say, in the language of whoever looks. They say it in English, for flows and programs read it; the words are
// in the catalogue of lanpost box. Served by Node-RED as resources/lanpost/lanpost-said.js, loaded by lanpost-box.html.
/* global RED, window */
'use strict';

window.lanpost = window.lanpost || {};
window.lanpost.said = {
  /** A word of a table; undefined when it is not there. */
  known(table, key) {
    // These take a path apart; and what every object has is no word.
    if (key === '' || /[.:]/.test(key) || key in {}) return undefined;
    const path = 'lanpost-box.' + table + '.' + key;
    const words = RED._('lanpost/lanpost-box:' + path);
    return words.endsWith(path) ? undefined : words;
  },

  /** One phrase; its numbers and paths stay as they are, and its full stop. */
  phrase(text, table = 'said') {
    const kept = [];
    const [, said, stop] = /^([^]*?)(\.?)$/.exec(text);
    const words = this.known(table, said.replace(/(?<!\S)\/[^\s,:;`]+|\d+(?: (?:s|min|h|d)\b)?/g, (one) => '#' + (kept.push(one), '')));
    return words === undefined ? undefined : words.replace(/#/g, () => kept.shift()) + stop;
  },

  /** Phrase by phrase, up to the first that is not known: from there on it is what somebody else said. An error says its code first, and then at most why. */
  text(text) {
    let done = '';
    let tables = ['said', 'reasons'];
    for (let rest = text; ;) {
      const [, phrase, between] = /^([^]*?)(, | · |: |$)/.exec(rest);
      const code = between === ': ' ? this.known('codes', phrase) : undefined;
      let words = tables.map((table) => this.phrase(phrase, table)).find((one) => one !== undefined);
      if (words === undefined && code !== undefined) {
        words = code;
        tables = ['reasons'];
      }
      // Where a home was called, before what came of it.
      if (words === undefined && between === ': ' && /^(?:[\w.-]+|\[[\da-f:.]+\]):\d+$/i.test(phrase)) words = phrase;
      if (words === undefined) return done + rest;
      done += words + between;
      rest = rest.slice(phrase.length + between.length);
      if (rest === '') return done;
    }
  },
};

// Whoever hears of a status before the flows are there is not told which node it is of.
RED.events.on('flows:loaded', () => {
  if (window.lanpost.said.listening) return;
  window.lanpost.said.listening = true;
  RED.comms.subscribe('status/#', (topic, status) => {
    const node = RED.nodes.node(topic.split('/')[1]);
    if (!node || !node.type.startsWith('lanpost ') || !status.text) return;
    const text = window.lanpost.said.text(status.text);
    if (text === status.text) return;
    // The editor takes the same object for the node's status, before this or after it.
    status.text = text;
    node.dirtyStatus = true;
    node.dirty = true;
    RED.view.redrawStatus(node);
  });
});
