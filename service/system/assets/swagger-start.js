"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: -1,
  // Without this, Swagger UI sends the document's URL to validator.swagger.io.
  validatorUrl: null,
  // Nor may the address of this page choose another document.
  queryConfigEnabled: false,
});
