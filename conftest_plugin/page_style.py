"""How a page looks, by day and by night."""

STYLE = """
:root{--back:#fff;--fore:#1d2129;--soft:#5d6675;--line:#dde1e8;--box:#f5f6f9;--bar:#4a7fd4;
--bad:#c62f2f;--warn:#b06f00;--badbox:#fdf0ef;--event:#8a63c9;--good:#2f7d4f}
@media(prefers-color-scheme:dark){:root{--back:#14171c;--fore:#e3e6eb;--soft:#98a1b0;
--line:#2d333d;--box:#1c2128;--bar:#6f9fec;--bad:#ff7b72;--warn:#e0a23c;--badbox:#2b1a1b;
--event:#b897f0;--good:#6cc28f}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--fore);
font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1500px;margin:0 auto;padding:24px}
h1{margin:0;font-size:22px;overflow-wrap:anywhere}
h2{margin:32px 0 8px;font-size:15px}
.file,.legend{margin:0 0 4px;color:var(--soft)}
pre,code,.time,.status,.sandbox,.site,td{font:12px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,
monospace}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
section>pre{background:var(--box);border:1px solid var(--line);border-radius:6px;padding:12px;
max-height:60vh;overflow:auto}
section>pre.failure{max-height:36vh;background:var(--badbox);border-left:4px solid var(--bad)}
code{background:var(--box);border:1px solid var(--line);border-radius:4px;padding:1px 5px;
overflow-wrap:anywhere}
.findings{margin:0;padding:0;list-style:none}
.findings li{background:var(--box);border-left:4px solid var(--warn);padding:6px 12px;margin:4px 0}
.rows{border:1px solid var(--line);border-radius:6px;overflow:hidden}
details+details{border-top:1px solid var(--line)}
summary{display:grid;gap:0 12px;padding:4px 12px;cursor:pointer;align-items:baseline;
grid-template-columns:76px 82px minmax(200px,3fr) minmax(110px,1fr) 172px minmax(120px,1.2fr)}
summary::marker{content:""}
summary::-webkit-details-marker{display:none}
summary:hover,details[open]>summary{background:var(--box)}
summary:focus-visible{outline:2px solid var(--bar);outline-offset:-2px}
.time,.sandbox,.site{color:var(--soft)}
.time{text-align:right}
.time,.sandbox,.what{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.site,.status{overflow-wrap:anywhere}
.lane{grid-column:1/-1;position:relative;height:4px;margin:1px 0 2px}
.lane i{position:absolute;top:0;height:4px;min-width:2px;border-radius:2px;background:var(--bar)}
.event b{color:var(--event);font-weight:500}
.event .lane i{background:var(--event)}
.refused .status{color:var(--warn)}
.refused .lane i{background:var(--warn)}
.broken .status,.broken b{color:var(--bad)}
.broken .lane i{background:var(--bad)}
.open .lane i{background:repeating-linear-gradient(90deg,var(--bar) 0 6px,transparent 6px 9px)}
dl{margin:0;padding:8px 12px 12px;display:grid;gap:6px 12px;
grid-template-columns:80px minmax(0,1fr);
background:var(--box);border-top:1px solid var(--line)}
dt{color:var(--soft)}
dd{margin:0;max-height:40vh;overflow:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--line);
vertical-align:top;overflow-wrap:anywhere}
th{font-weight:500;color:var(--soft)}
@media(max-width:900px){summary{grid-template-columns:76px 82px 1fr}
.status,.sandbox,.site{grid-column:3}}
@media print{section>pre,dd{max-height:none}}
"""
