{{- if .Values.operator.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cilium-operator
  namespace: {{ .Release.Namespace }}
spec:
  replicas: {{ .Values.operator.replicas }}
  selector:
    matchLabels:
      name: cilium-operator
  template:
    metadata:
      labels:
        name: cilium-operator
    spec:
      automountServiceAccountToken: false
      hostNetwork: true
      nodeSelector: {{ toJson .Values.nodeSelector }}
      tolerations:
        - operator: Exists
      containers:
        - name: cilium-operator
          image: {{ include "standin.image" (dict "image" .Values.operator.image "appVersion" .Chart.AppVersion) }}
{{- end }}
