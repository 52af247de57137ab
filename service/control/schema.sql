CREATE TABLE lars_audit (
	seq BIGINT NOT NULL, 
	time FLOAT NOT NULL, 
	principal TEXT NOT NULL, 
	source TEXT NOT NULL, 
	action TEXT NOT NULL, 
	target TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	seal BLOB NOT NULL, 
	PRIMARY KEY (seq)
);
CREATE TABLE lars_audit_head (
	one SMALLINT NOT NULL CHECK (one = 1), 
	seq BIGINT NOT NULL, 
	seal BLOB NOT NULL, 
	mac BLOB NOT NULL, 
	PRIMARY KEY (one)
);
INSERT INTO "lars_audit_head" VALUES(1,0,X'0000000000000000000000000000000000000000000000000000000000000000',X'');
CREATE TABLE lars_function_figures (
	hash TEXT NOT NULL, 
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	ok BIGINT NOT NULL, 
	caller_error BIGINT NOT NULL, 
	function_error BIGINT NOT NULL, 
	platform_error BIGINT NOT NULL, 
	cpu_us BIGINT NOT NULL, 
	run_us BIGINT NOT NULL, 
	runs TEXT NOT NULL, 
	last_called FLOAT NOT NULL, 
	PRIMARY KEY (hash, name, version)
);
CREATE TABLE lars_function_versions (
	hash TEXT NOT NULL, 
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	signature TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	created_by TEXT NOT NULL, 
	PRIMARY KEY (hash, name, version), 
	FOREIGN KEY(digest) REFERENCES lars_sources (digest)
);
CREATE TABLE lars_functions (
	hash TEXT NOT NULL, 
	name TEXT NOT NULL, 
	module TEXT NOT NULL, 
	path TEXT NOT NULL, 
	method TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	canary INTEGER, 
	canary_weight INTEGER, 
	loaded BOOLEAN NOT NULL, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	revision BIGINT NOT NULL, 
	owner TEXT NOT NULL, improvement TEXT, record_percent INTEGER, record_calls INTEGER, 
	PRIMARY KEY (hash, name), 
	FOREIGN KEY(hash, name, version) REFERENCES lars_function_versions (hash, name, version), 
	FOREIGN KEY(hash, name, canary) REFERENCES lars_function_versions (hash, name, version), 
	UNIQUE (revision)
);
CREATE TABLE lars_improvement_runs (
	id TEXT NOT NULL, 
	hash TEXT, 
	name TEXT, 
	goal TEXT, 
	decision TEXT, 
	holder TEXT, 
	"by" TEXT NOT NULL, 
	status TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	active BOOLEAN NOT NULL, 
	automatic BOOLEAN NOT NULL, 
	tokens BIGINT NOT NULL, 
	cost FLOAT, 
	ended FLOAT, 
	created FLOAT NOT NULL, 
	updated FLOAT NOT NULL, 
	lease FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE lars_improvement_steps (
	run TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	stage TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	time FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	evidence TEXT NOT NULL, 
	PRIMARY KEY (run, number), 
	FOREIGN KEY(run) REFERENCES lars_improvement_runs (id)
);
CREATE TABLE lars_keys (
	id TEXT NOT NULL, 
	env TEXT NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	scopes JSON NOT NULL, 
	rates JSON NOT NULL, 
	policy TEXT, 
	expires FLOAT, 
	digest BLOB NOT NULL, 
	created FLOAT NOT NULL, 
	revision BIGINT NOT NULL, 
	rotated FLOAT, 
	previous BLOB, 
	previous_until FLOAT, 
	revoked FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (revision)
);
CREATE TABLE lars_revision (
	one SMALLINT NOT NULL CHECK (one = 1), 
	number BIGINT NOT NULL, 
	PRIMARY KEY (one)
);
INSERT INTO "lars_revision" VALUES(1,0);
CREATE TABLE lars_sources (
	digest TEXT NOT NULL, 
	text TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE lars_usage (
	principal TEXT NOT NULL, 
	day DATE NOT NULL, 
	requests BIGINT NOT NULL, 
	failures BIGINT NOT NULL, 
	cpu_ms BIGINT NOT NULL, 
	tokens BIGINT NOT NULL, 
	last_used FLOAT, 
	PRIMARY KEY (principal, day)
);
CREATE TABLE lars_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT lars_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "lars_version" VALUES('0005');
CREATE TRIGGER lars_audit_no_update BEFORE UPDATE ON lars_audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER lars_audit_no_delete BEFORE DELETE ON lars_audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER lars_audit_head_no_delete BEFORE DELETE ON lars_audit_head BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE UNIQUE INDEX lars_functions_path ON lars_functions (path) WHERE loaded = 1;
CREATE TRIGGER lars_sources_no_update BEFORE UPDATE ON lars_sources BEGIN SELECT RAISE(ABORT, 'versions of functions are never changed'); END;
CREATE TRIGGER lars_sources_no_delete BEFORE DELETE ON lars_sources BEGIN SELECT RAISE(ABORT, 'versions of functions are never changed'); END;
CREATE TRIGGER lars_function_versions_no_update BEFORE UPDATE ON lars_function_versions BEGIN SELECT RAISE(ABORT, 'versions of functions are never changed'); END;
CREATE TRIGGER lars_function_versions_no_delete BEFORE DELETE ON lars_function_versions BEGIN SELECT RAISE(ABORT, 'versions of functions are never changed'); END;
CREATE UNIQUE INDEX lars_improvement_targets ON lars_improvement_runs (hash, name) WHERE active = 1;
