"""Settings shared by every environment, read from environment variables by `environs`.

Each variable that people may set is listed in docs/reference/settings.md.
"""

import tomllib
from decimal import Decimal
from pathlib import Path

from environs import Env, validate

from .console import UNFOLD as UNFOLD

env = Env()
AT_LEAST_0, AT_LEAST_1 = validate.Range(min=0), validate.Range(min=1)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

BASE_DIR = Path(__file__).resolve().parent.parent.parent
AFLOW_VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
DATA_DIR = Path(env.str("AFLOW_DATA_DIR", str(BASE_DIR / ".aflow"))).absolute()

SECRET_KEY = env.str("SECRET_KEY", "")
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Addresses and networks of proxies in front: only what they say of a client's address is believed.
AFLOW_TRUSTED_PROXIES: list[str] = env.list("AFLOW_TRUSTED_PROXIES", [])

INSTALLED_APPS = [
    "unfold",  # before the admin, whose pages it draws
    "django.contrib.admin.apps.SimpleAdminConfig",  # its pages are found with the addresses: see urls
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "aflow_site",
    "teams",
    "pools",
    "scaling",
    "workflows",
]

MIDDLEWARE = [
    "aflow_site.api.versions.tell_version",
    "aflow_site.api.tracing.trace_requests",
    "aflow_site.api.problems.refuse_nul",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "teams.api.middleware.origin_middleware",
]

ROOT_URLCONF = "aflow_site.urls"
ASGI_APPLICATION = "aflow_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- database: SQLite in WAL mode unless DATABASE_URL says otherwise -------------------------------
DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        # IMMEDIATE: a transaction that will write takes the write lock at once and waits for it,
        # where SQLite's default would fail half-way with "database is locked".
        transaction_mode="IMMEDIATE",
        timeout=20,
        init_command=(
            "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
            "PRAGMA cache_size=-16000;PRAGMA mmap_size=134217728;"
        ),
    )
    DATABASES["default"]["CONN_MAX_AGE"] = None
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", 60, validate=AT_LEAST_0)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: leases, queues, live streams, Celery's broker --------------------------------------------
REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", REDIS_URL)
# Marks this installation's keys, containers and processes: two beside each other never touch the other's.
AFLOW_INSTANCE = env.str("AFLOW_INSTANCE", "default")
if CELERY_BROKER_URL.startswith(("redis", "valkey")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_keepalive": True,
        # Redis measures a blocking read by the wall's clock: one that is set back would hold up the end of an
        # executor, which waits for the answer, by as much.
        "socket_timeout": 5,
        # Whoever sends has somebody waiting, and messages may be lost: one try, where the library makes three
        # in six seconds. Executors look for the broker until it is back, whatever stands here.
        "socket_connect_timeout": 2,
        "max_retries": 0,
        "global_keyprefix": f"aflow:{AFLOW_INSTANCE}:",
    }
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"aflow:{AFLOW_INSTANCE}:live"},
    }
}

# --- agents --------------------------------------------------------------------------------------------
AFLOW_RUNTIME = env.str("AFLOW_RUNTIME", "docker")  # docker | swarm | process | memory; `up` resolves `auto`
# Of the one node of a Docker Engine or of local processes; nodes of a swarm have labels. Empty: the engine's
# own labels tell.
AFLOW_NODE_CAPACITY = env.str("AFLOW_NODE_CAPACITY", "", validate=validate.OneOf(("", "on_demand", "spot")))
AFLOW_NODE_ZONE = env.str(
    "AFLOW_NODE_ZONE", "", validate=validate.Regexp(r"^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?\Z")
)
# Who rents machines out for node groups: none | ec2. AFLOW_URL must be in their reach.
AFLOW_NODE_PROVIDER = env.str("AFLOW_NODE_PROVIDER", "none", validate=validate.OneOf(("none", "ec2")))
# Runs under way at once, of all teams together; more wait for their turn. Empty: no limit.
AFLOW_MAX_CONCURRENT_RUNS = env.int("AFLOW_MAX_CONCURRENT_RUNS", None, validate=AT_LEAST_1)
# Runs of a team that are under way or wait for their turn; more are refused, and told when to come back.
AFLOW_RUNS_OPEN = env.int("AFLOW_RUNS_OPEN", 10_000, validate=AT_LEAST_1)
AFLOW_EXECUTORS = env.int("AFLOW_EXECUTORS", 2, validate=AT_LEAST_1)
AFLOW_URL = env.str("AFLOW_URL", "http://127.0.0.1:8000")

# --- deployed agents and requests to them ---------------------------------------------------------------
# Directories of this machine, and all below them, that may be volumes of deployed agents. Empty: none.
AFLOW_VOLUME_DIRS: list[str] = env.list("AFLOW_VOLUME_DIRS", [])
AFLOW_VOLUME_DIRS = [str(Path(directory).resolve()) for directory in AFLOW_VOLUME_DIRS if directory]
# Bytes of a request's body, and of its answer's, that are stored. Larger bodies pass through, while the agent
# is there to take them.
AFLOW_REQUEST_BYTES = env.int("AFLOW_REQUEST_BYTES", 1024 * 1024, validate=AT_LEAST_1)
# Seconds of silence after which an answer is given up.
AFLOW_REQUEST_TIMEOUT = env.float("AFLOW_REQUEST_TIMEOUT", 300.0, validate=AT_LEAST_1)
AFLOW_REQUESTS_WAITING = env.int("AFLOW_REQUESTS_WAITING", 1000, validate=AT_LEAST_1)  # of one agent
AFLOW_REQUEST_DAYS = env.int("AFLOW_REQUEST_DAYS", 7, validate=AT_LEAST_0)  # 0: for ever

# --- what is kept, and for how long ---------------------------------------------------------------------
# Days of ended runs (a team may have its own number) and of the audit log; 0: for ever.
AFLOW_RETENTION_DAYS = env.int("AFLOW_RETENTION_DAYS", 90, validate=AT_LEAST_0)
AFLOW_AUDIT_DAYS = env.int("AFLOW_AUDIT_DAYS", 365, validate=AT_LEAST_0)
AFLOW_CURRENCY = env.str("AFLOW_CURRENCY", "USD")  # of prices; nothing is converted
# Of all pools together; 0: no limit but the pools' own. When more are wanted, teams get fair shares in money.
AFLOW_MAX_AGENTS = env.int("AFLOW_MAX_AGENTS", 0, validate=AT_LEAST_0)
# Of an agent-hour, where neither its pool nor its node has a price.
AFLOW_AGENT_PRICE: Decimal = env.decimal("AFLOW_AGENT_PRICE", Decimal(0), validate=AT_LEAST_0)
AFLOW_KEEP_TAG = env.str("AFLOW_KEEP_TAG", "keep")  # runs with this tag are never deleted
AFLOW_ARTIFACTS_URL = env.str("AFLOW_ARTIFACTS_URL", str(DATA_DIR / "artifacts"))  # any fsspec URL

# --- alerts ---------------------------------------------------------------------------------------------
# A pool is saturated once so many have waited for its agents all the time for so many seconds.
AFLOW_ALERT_WAITING = env.int("AFLOW_ALERT_WAITING", 10, validate=AT_LEAST_1)
AFLOW_ALERT_SECONDS = env.float("AFLOW_ALERT_SECONDS", 60.0, validate=AT_LEAST_0)
# Networks that webhooks may go to although they are not on the open Internet.
AFLOW_WEBHOOK_NETWORKS: list[str] = env.list("AFLOW_WEBHOOK_NETWORKS", [])
vars().update(env.dj_email_url("EMAIL_URL", "smtp://localhost:25"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "agentainer@localhost")

# --- sign-in --------------------------------------------------------------------------------------------
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"

# --- API --------------------------------------------------------------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("AFLOW_MAX_BODY_BYTES", 12 * 1024 * 1024, validate=AT_LEAST_1)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "teams.api.authentication.TokenAuthentication",
        "teams.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["teams.api.permissions.TeamRolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["aflow_site.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["aflow_site.api.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "aflow_site.api.pagination.CursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "aflow_site.api.problems.exception_handler",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Agentainer Flow",
    "DESCRIPTION": "Workflows on pools of warm containers.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "COMPONENT_SPLIT_REQUEST": True,
    # The documentation pages come from this server, not from a network.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "RunStateEnum": ["pending", "running", "paused", "waiting", "completed", "failed", "cancelled"],
        "TriggerKindEnum": ["schedule", "webhook", "event"],
        "AlertKindEnum": "teams.api.alert_serializers.ALERT_KINDS",
        "AlertStateEnum": "teams.api.alert_serializers.ALERT_STATES",
        "AlertChannelKindEnum": "teams.api.alert_serializers.CHANNEL_KINDS",
        "AlertDeliveryStateEnum": "teams.api.alert_serializers.DELIVERY_STATES",
        "CapacityTypeEnum": "pools.api.serializers.CAPACITY_TYPES",
        "NodeCapacityTypeEnum": "pools.api.serializers.NODE_CAPACITY_TYPES",
        "AgentKindEnum": "pools.api.serializers.KINDS",
        "AgentStateEnum": "pools.api.serializers.STATES",
        "PoolPresetEnum": "pools.api.serializers.POOL_PRESETS",
        "PolicyPresetEnum": "scaling.api.serializers.POLICY_PRESETS",
        "DecisionReasonEnum": "scaling.api.serializers.REASONS",
        "SimulationStateEnum": "scaling.api.simulation_serializers.STATES",
        "PolicyModeEnum": "scaling.api.serializers.MODES",
        "BudgetModeEnum": "scaling.api.budget_serializers.MODES",
        "BudgetScopeEnum": "scaling.api.budget_serializers.SCOPES",
        "BudgetStateEnum": "scaling.api.budget_serializers.STATES",
        "ForecastCauseEnum": "scaling.api.serializers.FORECAST_CAUSES",
        "AgentRequestFailReasonEnum": "pools.api.agent_serializers.FAIL_REASONS",
        "AgentRequestStateEnum": "pools.api.agent_serializers.REQUEST_STATES",
    },
    "SCHEMA_PATH_PREFIX": r"/api/v1",
}

# --- static files -------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
# Vite puts the content's hash into the names of what it builds: browsers may keep those for ever.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/assets/.+-[\w-]{8}\.\w+$"
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
DOCUMENTATION = BASE_DIR / "site"  # what `./aflow docs` builds
STATICFILES_DIRS = [FRONTEND_DIST] if FRONTEND_DIST.exists() else []

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

LOG_LEVEL = env.str("AFLOW_LOG_LEVEL", "INFO", validate=validate.OneOf(LOG_LEVELS))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {name: {"level": "WARNING"} for name in ("daphne.http_protocol", "aiohttp.access", "httpx")},
}
