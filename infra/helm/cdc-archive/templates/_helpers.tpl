{{- define "cdc-archive.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{ ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "cdc-archive.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "cdc-archive.labels" -}}
{{ include "cdc-archive.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "cdc-archive.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "cdc-archive.fullname" .root }}-{{ .component }}
  labels: {{- include "cdc-archive.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "cdc-archive.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end -}}

{{- /* What every pod has: nobody's user, no privilege, no token of the cluster's. */ -}}
{{- define "cdc-archive.pod" -}}
serviceAccountName: {{ include "cdc-archive.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "cdc-archive.container" -}}
image: {{ include "cdc-archive.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  - {name: CDC_ARCHIVE_CONFIG, value: /etc/cdc-archive/cdc-archive.toml}
{{- range $name, $value := .env }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- with .root.Values.existingSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end -}}

{{- define "cdc-archive.probes" -}}
ports:
  - {name: metrics, containerPort: {{ . }}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 5
  failureThreshold: 24
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end -}}

{{- /* kind: worker, watch or jobs. */ -}}
{{- define "cdc-archive.mounts" -}}
- {name: config, mountPath: /etc/cdc-archive, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- range $number, $one := .root.Values.secretMounts }}
{{- if or (not $one.components) (has $.kind $one.components) }}
- {name: secret-{{ $number }}, mountPath: {{ $one.mountPath }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "cdc-archive.volumes" -}}
- name: config
  configMap: {name: {{ include "cdc-archive.fullname" .root }}}
- name: tmp
  emptyDir: {sizeLimit: {{ .workSize }}}
{{- range $number, $one := .root.Values.secretMounts }}
{{- if or (not $one.components) (has $.kind $one.components) }}
- name: secret-{{ $number }}
  secret: {secretName: {{ $one.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}

{{- define "cdc-archive.configSum" -}}
checksum/config: {{ toJson .Values.config | sha256sum }}
{{- end -}}

{{- /* Bytes of memory in MiB: what is held, and what the program needs besides (docs/capacity.md: 150, and a margin). */ -}}
{{- define "cdc-archive.workerMemory" -}}
{{ add (divf (dig "archive" "memory_budget_bytes" 268435456 .Values.config | float64) 1048576 | ceil | int) 200 }}Mi
{{- end -}}

{{- define "cdc-archive.gracePeriod" -}}
{{ add (dig "worker" "shutdown_deadline_seconds" 25 .Values.config | float64 | ceil | int) 15 }}
{{- end -}}

{{- define "cdc-archive.workerPort" -}}
{{ dig "worker" "http_port" 9464 .Values.config | int }}
{{- end -}}

{{- /* A table as TOML, tables in it after its own keys. Not toToml: it writes 25 as 25.0 and 1 GiB as 1.073741824e+09. */ -}}
{{- define "cdc-archive.toml" -}}
{{- $within := list -}}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $within = append $within (dict "key" $key "head" "[%s]" "table" $value) }}
{{- else if and (kindIs "slice" $value) (kindIs "map" (first (default (list "") $value))) }}
{{- range $value }}{{ $within = append $within (dict "key" $key "head" "[[%s]]" "table" .) }}{{ end }}
{{- else if not (kindIs "invalid" $value) }}
{{ include "cdc-archive.tomlKey" $key }} = {{ toJson $value }}
{{- end }}
{{- end }}
{{- range $within }}
{{- $key := include "cdc-archive.tomlKey" .key }}
{{- $name := ternary $key (printf "%s.%s" $.name $key) (empty $.name) }}
{{ printf .head $name }}
{{- include "cdc-archive.toml" (dict "name" $name "table" .table) }}
{{- end }}
{{- end -}}

{{- define "cdc-archive.tomlKey" -}}
{{ ternary . (toJson .) (regexMatch "^[A-Za-z0-9_-]+$" .) }}
{{- end -}}
