// whatsapp-web.js brings puppeteer, which would download a browser of its own: the one that is installed is used.
module.exports = { skipDownload: true };
