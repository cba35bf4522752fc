/** Colours are those of the console; the script puts it into a shadow root, where the site's own styles don't reach. */
export const widgetStyle = `
:host{all:initial;color-scheme:light dark;--bg:#fff;--surface:#f6f7f9;--text:#171a21;--muted:#565f6e;--border:#7a8392;--accent:#1f55d6;--on-accent:#fff;--bad:#b3231b}
@media (prefers-color-scheme:dark){:host{--bg:#161a21;--surface:#1e232c;--text:#e7eaf0;--muted:#a0a9b8;--border:#6b7585;--accent:#86a9ff;--on-accent:#0b1330;--bad:#ff8f86}}
*{box-sizing:border-box}
.chat{position:fixed;right:1rem;bottom:1rem;z-index:2147483000;font:16px/1.4 system-ui,sans-serif;color:var(--text)}
button{font:inherit;min-height:44px;padding:8px 16px;border:0;border-radius:8px;color:var(--on-accent);background:var(--accent);cursor:pointer}
button.plain{padding:8px;color:var(--accent);background:none}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.panel{display:flex;flex-direction:column;width:min(360px,calc(100vw - 2rem));height:min(540px,calc(100vh - 2rem));background:var(--bg);border:1px solid var(--border);border-radius:12px;overflow:hidden}
.panel[hidden],.launch[hidden],[hidden]{display:none}
header{display:flex;align-items:center;justify-content:space-between;padding:4px 4px 4px 16px;background:var(--surface)}
h2{margin:0;font-size:16px}
.log{flex:1;overflow-y:auto;overflow-wrap:anywhere}
.log:focus-visible{outline-offset:-2px}
ol{margin:0;padding:12px;list-style:none}
li{width:fit-content;max-width:85%;margin:0 0 8px;padding:8px 12px;border-radius:12px;background:var(--surface);white-space:pre-wrap}
li.visitor{margin-left:auto;color:var(--on-accent);background:var(--accent)}
li a,li.visitor button.plain{color:inherit}
li button.plain{display:block;padding:8px 0;text-align:left;text-decoration:underline}
.who{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
time,.state{display:block;margin-top:2px;font-size:13px}
li.team time{color:var(--muted)}
.note{min-height:20px;margin:0;padding:0 12px;font-size:13px;color:var(--muted)}
.note.bad{color:var(--bad)}
form{display:flex;flex-wrap:wrap;gap:8px;padding:8px 12px 12px}
label{flex:1 0 100%;font-size:13px;color:var(--muted)}
input[type=email]{display:block;width:100%;min-height:36px;margin-top:2px;padding:4px 8px;font:inherit;font-size:16px;color:var(--text);background:var(--bg);border:1px solid var(--border);border-radius:8px}
textarea{flex:1 0 100%;min-height:64px;padding:8px;font:inherit;color:inherit;background:var(--bg);border:1px solid var(--border);border-radius:8px;resize:none}
::placeholder{color:var(--muted);opacity:1}
form button[type=submit]{margin-left:auto}
@media (forced-colors:active){li,.launch{border:1px solid}}
@media print{.chat{display:none}}
`;
