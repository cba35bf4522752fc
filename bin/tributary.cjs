#!/usr/bin/env node
// Old syntax throughout, and no import(): this file must run on any Node, to say what is wrong with it.
'use strict';

var version = process.versions.node.split('.');
var major = Number(version[0]);

if (major < 20 || (major === 20 && Number(version[1]) < 19)) {
  process.stderr.write(
    'Tributary needs Node 20.19 or newer, this is ' +
      process.versions.node +
      '. Install a current one from nodejs.org.\n',
  );
  process.exit(1);
}

require('./launch.cjs');
