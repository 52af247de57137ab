"use strict";

// Docstrings are anybody's text.
Redoc.init("openapi.json", { sanitize: true }, document.getElementById("api"));
