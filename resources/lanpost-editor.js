// What the dialogs of lanpost's nodes share in the browser: which box a new node takes, and the picker.
// Served by Node-RED as resources/lanpost/lanpost-editor.js, loaded by lanpost-box.html.
/* global RED, $ */
'use strict';

window.lanpost = Object.assign(window.lanpost || {}, {
  /** Milliseconds of quiet typing before the box is asked. */
  quiet: 150,

  words(key, options) { return RED._('lanpost/lanpost-box:lanpost-box.picker.' + key, options); },

  /** A node dropped from the palette takes the one box there is, or the editor's own. */
  chooseBox(node) {
    if (node.box) return;
    const boxes = [];
    RED.nodes.eachConfig((config) => { if (config.type === 'lanpost box') boxes.push(config); });
    const box = boxes.length === 1 ? boxes[0] : boxes.find((config) => config.mode === 'auto');
    if (box) node.box = box.id;
  },

  /** What the routes of a box call it; one that was not deployed yet is known only when it is the editor's own. */
  askedBox(selector) {
    const config = RED.nodes.node($(selector).val());
    if (RED.settings.lanpostBoxEmbedded === true && (!config || (config.mode || 'auto') === 'auto')) return 'embedded';
    return config ? config.id : '';
  },

  /** Asks a route of a box, e.g. `choices/topics`; rejects with words for people. */
  ask(box, route, query, method = 'GET') {
    if (!box) return Promise.reject(new Error(this.words('noBox')));
    // One that is only being added: no route of it can answer.
    if (box !== 'embedded' && !RED.nodes.node(box)) return Promise.reject(new Error(this.said.text('this box does not run here yet: deploy first')));
    return this.send('lanpost/boxes/' + encodeURIComponent(box) + '/' + route, query, method);
  },

  post(url, body) { return this.send(url, body, 'POST'); },

  send(url, query, method) {
    const request = { url, method, dataType: 'json' };
    if (method === 'GET') request.data = query;
    // No page of another site can send this kind of content without asking first.
    else Object.assign(request, { contentType: 'application/json', data: JSON.stringify(query || {}) });
    return new Promise((resolve, reject) => {
      $.ajax(request).done(resolve).fail((answer) => {
        reject(new Error(this.said.text((answer.responseJSON && answer.responseJSON.reason) || '') || this.words('failed')));
      });
    });
  },

  /** A field that takes one of some values, called `FIELDs.VALUE` in the node's words, or `${NAME}`; gives the field: its value is saved. */
  choice(node, field, values) {
    const words = node.type.replace(/ /g, '-') + '.' + field + 's.';
    return this.typed(this.field(node, field), 'lanpost-shown-' + field, this.choices(values, (value) => node._(words + (value || 'none'))), values[0]);
  },

  field(node, name) { return $((node.type === 'lanpost box' ? '#node-config-input-' : '#node-input-') + name); },

  choices(values, label) { return { value: 'choice', options: values.map((value) => ({ value, label: label(value) })) }; },

  /** The same for a switch. */
  flag(node, field) { return this.typed(this.field(node, field), 'lanpost-shown-' + field, 'bool', 'false'); },

  /** What is saved stays in the field itself, which is hidden; Node-RED's own input of several types is what is seen. */
  typed(saved, id, type, otherwise, width = '70%') {
    saved.hide();
    const known = type.options ? type.options.map((option) => option.value) : ['true', 'false'];
    const place = /^\$\{([^}]+)\}$/.exec(saved.val());
    if (!place && !known.includes(saved.val())) saved.val(otherwise);
    const shown = $('<input type="text">').css({ width }).attr('id', id).insertAfter(saved);
    shown.typedInput({ types: [type, 'env'] });
    shown.typedInput('type', place ? 'env' : type.value || type);
    shown.typedInput('value', place ? place[1] : saved.val());
    shown.on('change', () => {
      const value = shown.typedInput('value');
      saved.val(shown.typedInput('type') === 'env' ? '${' + value + '}' : value).trigger('change');
    });
    return saved;
  },

  /**
   * Gives a text field a button that lists what the box knows; what is typed stays possible.
   * `kind`: `topics`, `peers`, `homes`, `addresses` (where a message can go), `followed` (whom an item can be followed to), `readers` (durable ones) or `commands`.
   * `box`: selector of the node's box field, or `asked()`: what a box is called. `query()`: more to ask by. `picked(choice)`: instead of filling the field.
   */
  pick(field, { kind, box = '#node-input-box', asked = () => this.askedBox(box), query = () => ({}), picked }) {
    const input = $(field);
    const width = input.prop('style').width || '70%';
    const around = input.wrap('<div class="lanpost-pick" style="display:inline-flex; box-sizing:border-box"></div>').parent().css('width', width);
    input.css({ width: 'auto', flex: '1 1 auto', minWidth: 0 });
    const title = this.words('title.' + kind);
    const button = $('<button type="button" class="red-ui-button" style="margin-left:4px"><i class="fa fa-search"></i></button>')
      .attr({ title, 'aria-label': title, 'aria-haspopup': 'listbox' }).appendTo(around);
    button.on('click', () => this.openPicker({
      button, title,
      list: (text) => this.ask(asked(), 'choices/' + kind, Object.assign({ q: text }, query())),
      take(choice) {
        if (picked) picked(choice);
        else input.val(choice.value).trigger('change');
      },
    }));
  },

  /** A list to be edited, as high as its rows are: in one that scrolls the first fields of a row are out of sight. */
  rows(list, options) {
    list.css({ minWidth: '350px' }).editableList(Object.assign({ height: 'auto' }, options));
    // Not before: the height that it has then, it keeps.
    list.parent().css({ minHeight: '50px' });
  },

  /** The fields that a command asks for, as a list to be edited; `words` are those of the node. */
  editFields(list, fields, words) {
    const key = (name) => words('lanpost-command-in.field.' + name);
    const text = (name, value, width) => $('<input type="text">').css({ width, margin: '0 4px 0 0' }).attr({ placeholder: key(name), 'aria-label': key(name), 'data-field': name }).val(value || '');
    this.rows($(list), {
      removable: true,
      sortable: true,
      addItem: (row, _index, field) => {
        const kind = $('<input type="hidden" data-field="kind">').val(field.kind || 'text');
        const required = $('<input type="hidden" data-field="required">').val(String(field.required || false));
        const options = text('options', field.options, '100%').css('marginTop', '4px');
        const line = $('<div style="display:flex; align-items:center; gap:6px; margin-top:4px"></div>').append($('<span></span>').append(kind), $('<span></span>').text(key('required')), $('<span></span>').append(required));
        row.append(text('name', field.name, '38%'), text('label', field.label, '58%'), line, options);
        this.typed(kind, '', this.choices(['text', 'number', 'boolean', 'list'], key), 'text', '170px');
        this.typed(required, '', 'bool', 'false', '130px');
        const show = () => options.toggle(kind.val() !== 'text' && kind.val() !== 'number' && kind.val() !== 'boolean');
        kind.on('change', show);
        show();
      },
    });
    for (const field of fields) $(list).editableList('addItem', Object.assign({}, field));
  },

  editedFields(list) {
    return $(list).editableList('items').toArray().map((row) => {
      const value = (name) => $(row).find('[data-field="' + name + '"]').val();
      return { name: value('name'), label: value('label'), kind: value('kind'), options: value('options'), required: value('required') };
    }).filter((field) => field.name !== '');
  },

  /** One choice as it is shown. Names come from the network: text, never markup. */
  row(choice) {
    const row = $('<div role="option" class="lanpost-picker-choice red-ui-search-result" style="display:block; padding:5px 8px; cursor:pointer; outline-offset:-1px"></div>')
      .attr({ 'data-value': choice.value, title: choice.value }).data('choice', choice);
    const beside = [choice.label, choice.detail && this.said.text(choice.detail)].filter(Boolean).join(' · ');
    for (const [text, size, opacity] of [[choice.value, '1em', 1], [beside, '.85em', 0.75]]) {
      if (text) $('<div style="overflow:hidden; text-overflow:ellipsis; white-space:nowrap"></div>').css({ fontSize: size, opacity }).text(text).appendTo(row);
    }
    return row;
  },

  openPicker({ button, title, list, take }) {
    const content = $('<div class="lanpost-picker" style="width:340px"></div>');
    const search = $('<input type="text" class="lanpost-picker-search" autocomplete="off" style="width:100%; box-sizing:border-box; margin:0; border-width:0 0 1px; border-radius:0">')
      .attr({ placeholder: this.words('search'), 'aria-label': this.words('search') });
    const rows = $('<div role="listbox" class="lanpost-picker-list" style="height:220px; overflow:auto"></div>').attr('aria-label', title);
    const note = $('<div class="lanpost-picker-note" role="status" style="padding:4px 8px; min-height:1.4em; opacity:.8"></div>');
    content.append(search, rows, note);
    const panel = RED.popover.panel(content);
    let turn = 0;
    let timer;
    let at = -1;

    const forget = () => {
      clearTimeout(timer);
      turn = -1;
    };
    const close = () => {
      forget();
      panel.hide(true);
      button.trigger('focus');
    };
    const choose = (choice) => {
      close();
      take(choice);
    };
    const mark = (index) => {
      const all = rows.children();
      if (all.length === 0) return;
      at = (index + all.length) % all.length;
      all.attr('aria-selected', 'false').css('outline', '');
      all.eq(at).attr('aria-selected', 'true').css('outline', '1px solid currentColor')[0].scrollIntoView({ block: 'nearest' });
    };
    const show = ({ choices = [], more = false }) => {
      rows.empty();
      at = -1;
      for (const choice of choices) {
        const row = this.row(choice).appendTo(rows);
        row.on('click', () => choose(choice));
      }
      if (choices.length === 0) note.text(this.words('none'));
      else note.text(more ? this.words('more') : '');
    };
    const refresh = () => {
      const mine = ++turn;
      // What was asked before more was typed comes too late.
      list(search.val()).then((answer) => mine === turn && show(answer), (error) => mine === turn && (show({}), note.text(error.message + ' · ' + this.words('typed'))));
    };

    search.on('input', () => {
      clearTimeout(timer);
      timer = setTimeout(refresh, this.quiet);
    });
    content.on('keydown', (event) => {
      const all = rows.children();
      if (event.key === 'ArrowDown') mark(at + 1);
      else if (event.key === 'ArrowUp') mark(at < 0 ? -1 : at - 1);
      else if (event.key === 'Escape') close();
      else if (event.key === 'Enter') {
        if (at >= 0 || all.length === 1) choose(all.eq(Math.max(at, 0)).data('choice'));
      } else return;
      // Else the dialog beneath would take Escape and Enter for its own.
      event.preventDefault();
      event.stopPropagation();
    });
    panel.show({ target: button, align: 'left', offset: [button.outerWidth(), 1], onclose: forget });
    search.trigger('focus');
    refresh();
  },
});
