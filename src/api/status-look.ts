import { createHash } from 'node:crypto';

/** Colours are those of the console; each text has a contrast of at least 4.5:1. */
export const STYLE = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--surface:#f6f7f9;--text:#171a21;--muted:#565f6e;--hair:#dfe3e8;--rest:#c3c9d2;
--accent:#1f55d6;--accent-hover:#1a47b5;--ok:#136c3a;--warn:#855000}
@media (prefers-color-scheme:dark){:root{--page:#0f1217;--card:#161a21;--surface:#1e232c;--text:#e7eaf0;--muted:#a0a9b8;--hair:#2a303b;--rest:#414a58;
--accent:#86a9ff;--accent-hover:#a3bfff;--ok:#5fd08d;--warn:#e9b04d}}
*,*::before,*::after{box-sizing:border-box}
html{font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;color:var(--text);background:var(--page);-webkit-text-size-adjust:100%}
body{max-width:36rem;margin:0 auto;padding:clamp(.75rem,4vw,3rem) clamp(.75rem,4vw,0rem);overflow-wrap:anywhere}
main{padding:clamp(1.25rem,5vw,2.5rem);background:var(--card);border:1px solid var(--hair);border-radius:.75rem;
box-shadow:0 1px 2px rgb(0 0 0/.05),0 8px 24px rgb(0 0 0/.05)}
h1{margin:0;font-size:1.625rem;line-height:1.25;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.subject{margin:.375rem 0 0;color:var(--muted)}
.steps{display:flex;gap:.5rem;margin:1.75rem 0 0;padding:0;list-style:none;font-size:.875rem;color:var(--muted)}
.steps li{flex:1 1 0;min-width:0;padding-top:.5rem;border-top:.25rem solid var(--rest)}
.steps .reached{color:var(--text);border-color:var(--tone)}
.steps [aria-current]{font-weight:650}
.working{--tone:var(--accent)}
.waiting{--tone:var(--warn)}
.done{--tone:var(--ok)}
.stage{margin:1.25rem 0 0;padding:1rem 1.25rem;background:var(--surface);border:1px solid var(--hair);border-left:.25rem solid var(--tone);border-radius:.5rem}
.stage h2{margin:0;font-size:1.125rem;color:var(--tone)}
.stage p{margin:.25rem 0 0}
dl{margin:1.5rem 0 0}
dl div{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.5rem 0;border-top:1px solid var(--hair)}
dl div:last-child{padding-bottom:0}
dt{flex:1 1 9rem;color:var(--muted)}
dd{flex:2 1 15rem;margin:0;font-variant-numeric:tabular-nums}
.text{margin:.75rem 0 0}
footer{padding:1.25rem clamp(1.25rem,5vw,2.5rem) 0;font-size:.875rem;color:var(--muted)}
footer p{margin:0 0 .75rem}
footer ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:0;padding:0;list-style:none}
footer li>*{display:inline-block;padding:.25rem 0}
footer [aria-current]{font-weight:650;color:var(--text)}
a{color:var(--accent)}
a:hover{color:var(--accent-hover)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
@media print{:root{--page:#fff;--card:#fff;--surface:#fff;--text:#000;--muted:#333;--hair:#999;--rest:#bbb;--accent:#000;--ok:#000;--warn:#000}
body{max-width:none;padding:0}main{padding:0;border:0;box-shadow:none}footer{display:none}}
`;

/** Nothing runs, nothing is loaded, nothing is sent, and no page shows it in a frame. */
export const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');
