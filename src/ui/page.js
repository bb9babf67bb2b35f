"use strict";
fetch("cluster").then((answer) => answer.text()).then((text) => {
  document.getElementById("cluster").textContent = text;
});
