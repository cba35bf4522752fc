/** Colours are those of the console; each text has a contrast of at least 4.5:1, each control border 3:1. */
export const STYLE = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--bg:#fff;--surface:#f6f7f9;--sunken:#eceef2;--text:#171a21;--muted:#565f6e;--border:#7a8392;--hair:#dfe3e8;
--accent:#1f55d6;--accent-hover:#1a47b5;--on-accent:#fff;--ok:#136c3a;--bad:#b3231b;--bad-bg:#fdf1f0}
@media (prefers-color-scheme:dark){:root{--page:#0f1217;--card:#161a21;--bg:#0f1217;--surface:#1e232c;--sunken:#1e232c;--text:#e7eaf0;--muted:#a0a9b8;--border:#6b7585;--hair:#2a303b;
--accent:#86a9ff;--accent-hover:#a3bfff;--on-accent:#0b1330;--ok:#5fd08d;--bad:#ff8f86;--bad-bg:#2c1b1c}}
*,*::before,*::after{box-sizing:border-box}
html{font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;color:var(--text);background:var(--page);-webkit-text-size-adjust:100%}
body{margin:0;padding:clamp(.75rem,4vw,3rem) clamp(.75rem,4vw,2rem)}
main{max-width:36rem;margin:0 auto;padding:clamp(1.25rem,5vw,2.5rem);background:var(--card);border:1px solid var(--hair);border-radius:.75rem;
box-shadow:0 1px 2px rgb(0 0 0/.05),0 8px 24px rgb(0 0 0/.05);overflow-wrap:anywhere}
.framed{background:transparent}
.framed body{padding:1px}
.framed main{max-width:none;box-shadow:none}
h1{margin:0 0 .5rem;font-size:1.625rem;line-height:1.25;font-weight:650;letter-spacing:-.01em}
.intro{margin:0 0 1.5rem;color:var(--muted);white-space:pre-line}
h1+form{margin-top:1.5rem}
.field{margin:0 0 1.25rem}
label{display:block;margin-bottom:.375rem;font-weight:550}
.optional{margin-left:.375rem;color:var(--muted);font-size:.875rem;font-weight:400}
.hint,.error{margin:0 0 .375rem;font-size:.875rem}
.hint{color:var(--muted)}
.error{color:var(--bad);font-weight:550}
.error::before{content:"\\26A0\\FE0E\\00A0"}
input,select,textarea{display:block;width:100%;min-height:2.75rem;padding:.5rem .75rem;font:inherit;color:inherit;background:var(--bg);
border:1px solid var(--border);border-radius:.5rem}
textarea{min-height:9rem;resize:vertical}
[aria-invalid=true]{border:2px solid var(--bad);padding:calc(.5rem - 1px) calc(.75rem - 1px)}
input[type=file]{padding:.5rem;color:var(--muted);border-style:dashed}
input[type=file]::file-selector-button{margin-right:.75rem;padding:.25rem .75rem;min-height:1.75rem;font:inherit;font-size:.875rem;color:var(--text);
background:var(--sunken);border:1px solid var(--border);border-radius:.375rem;cursor:pointer}
.check{display:flex;gap:.625rem;align-items:flex-start}
.check input{flex:none;width:1.5rem;height:1.5rem;min-height:0;margin:0;accent-color:var(--accent)}
.check label{margin:0;font-weight:400}
fieldset{margin:0 0 1.25rem;padding:0;border:0}
fieldset .field:last-child{margin-bottom:0}
@media (min-width:34rem){.pair{display:grid;grid-template-columns:1fr 1fr;gap:1.25rem}.pair .field{margin:0;display:flex;flex-direction:column}.pair .field input{margin-top:auto}}
button{display:inline-block;min-height:2.75rem;padding:.625rem 1.75rem;font:inherit;font-weight:600;color:var(--on-accent);background:var(--accent);
border:1px solid transparent;border-radius:.5rem;cursor:pointer}
button:hover{background:var(--accent-hover)}
button[aria-disabled=true]{opacity:.6;cursor:progress}
@media (max-width:33.99rem){button{width:100%}}
a{color:var(--accent)}
a:hover{color:var(--accent-hover)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.summary{margin:1rem 0 1.5rem;padding:1rem 1.25rem;color:var(--text);background:var(--bad-bg);border:1px solid var(--bad);border-left-width:.25rem;border-radius:.5rem}
.summary h2{margin:0;font-size:1rem}
.summary p,.summary ul{margin:.25rem 0 0}
.summary ul{padding-left:1.25rem}
.summary a{color:var(--bad)}
.trap{position:absolute;left:-9999px;width:1px;height:1px;overflow:hidden}
.sent{display:flex;align-items:center;justify-content:center;width:3rem;height:3rem;margin-bottom:1rem;border-radius:50%;color:var(--bg);background:var(--ok)}
.thanks{margin:0 0 1rem;white-space:pre-line}
.number{display:inline-block;margin:0 0 1.5rem;padding:.5rem 1rem;background:var(--surface);border:1px solid var(--hair);border-radius:.5rem}
.follow{margin:0 0 1.5rem}
.follow a{font-weight:550}
.follow .hint{display:block;margin-top:.125rem}
.another{margin:0}
.number b{font-variant-numeric:tabular-nums}
@media (forced-colors:active){.sent{border:2px solid}}
`;

/**
 * The form works without it. With it a second click on the button does nothing, the errors are read
 * out first, and a site that shows the form in a frame is told how high it is, and nothing else.
 */
export const SCRIPT = `
'use strict';
(function () {
  var root = document.documentElement;
  var form = document.querySelector('form');
  var button = document.querySelector('button');
  if (form && button) {
    form.addEventListener('submit', function (event) {
      if (button.getAttribute('aria-disabled') === 'true') event.preventDefault();
      button.setAttribute('aria-disabled', 'true');
    });
    window.addEventListener('pageshow', function () { button.removeAttribute('aria-disabled'); });
  }
  var summary = document.querySelector('.summary');
  if (summary) summary.focus();
  if (window.parent === window) return;
  root.classList.add('framed');
  var tell = function () {
    window.parent.postMessage({ tributaryFormHeight: document.body.offsetHeight }, '*');
  };
  new ResizeObserver(tell).observe(document.body);
  tell();
})();
`;

/** The script of `embed.js`: shows the form where its `<script>` stands. `title` names the frame for screen readers. */
export function embedScript(title: string): string {
  const text = JSON.stringify(title).replace(
    /[<>\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `'use strict';
(function (title) {
  var script = document.currentScript;
  if (!script) return;
  var address = new URL(script.src);
  address.pathname = address.pathname.replace(/\\/embed\\.js$/, '');
  address.hash = '';
  // Without what stands behind the question mark: sites keep sessions and tokens there.
  var about = new URLSearchParams({ page: location.origin + location.pathname });
  if (document.referrer) about.set('referrer', document.referrer.split(/[?#]/)[0]);
  new URLSearchParams(location.search).forEach(function (value, name) {
    if (/^utm_[a-z_]{1,30}$/.test(name)) about.set(name, value.slice(0, 500));
  });
  var language = script.getAttribute('data-language') || document.documentElement.lang;
  if (language) about.set('lang', language);
  address.search = about.toString();
  var frame = document.createElement('iframe');
  frame.title = script.getAttribute('data-title') || title;
  frame.style.cssText = 'display:block;width:100%;height:44rem;border:0';
  frame.src = address.href;
  script.after(frame);
  window.addEventListener('message', function (event) {
    if (event.source !== frame.contentWindow || event.origin !== address.origin) return;
    var height = Number(event.data && event.data.tributaryFormHeight);
    if (height > 0 && height < 20000) frame.style.height = Math.ceil(height) + 'px';
  });
})(${text});
`;
}
