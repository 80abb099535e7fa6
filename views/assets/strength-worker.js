// Estimates passwords beside the page, so that typing stays smooth while word lists are read. Told once which scripts
// to load, then asked; answers a number from 0 to 4 and the name of what is weak.

let estimator;

addEventListener('message', ({ data }) => {
  if (data.scripts) {
    importScripts(...data.scripts);
    const { core, ...languages } = self.zxcvbnts;
    const dictionary = Object.assign({}, ...Object.values(languages).map((language) => language.dictionary));
    const graphs = languages['language-common'].adjacencyGraphs;
    estimator = new core.ZxcvbnFactory({ dictionary, graphs });
    return;
  }
  const { score, feedback } = estimator.check(data.password, data.inputs);
  postMessage({ turn: data.turn, score, warning: feedback.warning });
});
